import assert from "node:assert/strict";
import test from "node:test";

import { now } from "../../static/line/clock.js";
import { Report } from "../../static/line/report.js";
import { unpack } from "../../static/model/packed.js";

function reporting() {
  const posted = [];
  const post = ({ packed, ...message }) => posted.push(packed ? { ...message, ...unpack(packed) } : message);
  return { posted, report: new Report(post, () => ({ counts: {} })) };
}

const row = (data, more = {}) => {
  const size = typeof data === "string" ? Buffer.byteLength(data) : data.length;
  return { time: 1, direction: "received", size, data, roundTrip: NaN, echo: { state: "none" }, ...more };
};

test("one batch until it is acknowledged", () => {
  const { posted, report } = reporting();
  for (let count = 0; count < 5; count += 1) {
    report.add(row("a"));
    report.changed(now());
  }
  assert.equal(posted.length, 1);
  assert.equal(posted[0].rows.length, 1);
  report.acknowledge();
  report.changed(now() + 20);
  assert.equal(posted.length, 2);
  assert.equal(posted[1].rows.length, 4);
});

test("many rows are handed over less often than few", () => {
  for (const [count, soonest] of [[10, 16], [200, 64]]) {
    const { posted, report } = reporting();
    for (let added = 0; added < count; added += 1) report.add(row("a"));
    report.changed(1000);
    report.acknowledge();
    report.changed(1000 + soonest - 1);
    assert.equal(posted.length, 1);
    report.changed(1000 + soonest);
    assert.equal(posted.length, 2);
  }
});

test("a state comes after the rows before it, whatever waits", () => {
  const { posted, report } = reporting();
  report.changed(now());
  report.add(row("a"));
  report.state({ name: "closed" });
  assert.deepEqual(posted.map(({ is }) => is), ["batch", "batch", "state"]);
  assert.equal(posted[1].rows.length, 1);
});

test("kinds of rows", async () => {
  const nested = "[".repeat(100_000);
  const cases = [
    ["hello", "text"], ["", "empty"], [new Uint8Array(0), "empty"], [new Uint8Array(3), "binary"],
    ['{"a":1}', "json"], [" [1]\n", "json"], ['{"a":1', "text"], ["{a}", "text"], ["12", "text"], ["[x]", "text"],
    [nested, "text"], [nested + "]".repeat(100_000), "json"], [`["${"x".repeat(70_000)}"]`, "json"],
  ];
  for (const [data, kind] of cases) {
    const { posted, report } = reporting();
    report.add(row(data));
    report.changed(now());
    assert.equal(posted[0].rows[0].kind, kind, String(data).slice(0, 20));
  }
});

test("a file is a file, and what is long is a blob", async () => {
  const { posted, report } = reporting();
  report.add(row("text", { isFile: true }));
  report.add(row("é".repeat(600_000)));
  report.add(row(new Uint8Array(1024 * 1024)));
  report.changed(now());
  const [file, long, bytes] = posted[0].rows;
  assert.equal(file.kind, "file");
  assert.ok(long.payload instanceof Blob);
  assert.deepEqual([long.kind, long.payload.size, long.payload.type], ["text", 1_200_000, "text/plain"]);
  assert.ok(bytes.payload instanceof Uint8Array);
});

test("what was not kept is counted", () => {
  const { posted, report } = reporting();
  for (let count = 0; count < 3000; count += 1) report.add(row("a"));
  report.changed(now());
  assert.equal(report.notKept, 1000);
  assert.equal(posted[0].rows.length, 2001);
});

test("what changed without a row is handed over after the acknowledgement too", async () => {
  const { posted, report } = reporting();
  report.changed(now());
  report.changed(now());
  assert.equal(posted.length, 1);
  report.acknowledge();
  await new Promise((done) => setTimeout(done, 40));
  assert.equal(posted.length, 2);
});
