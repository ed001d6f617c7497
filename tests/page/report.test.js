import assert from "node:assert/strict";
import { test } from "node:test";

import { Histogram } from "../../static/model/histogram.js";
import { asMarkdown, figures, milliseconds, percentiles, planInWords } from "../../static/model/report.js";

const histogram = new Histogram();
for (let value = 1; value <= 100; value += 1) histogram.add(value);
const MEASUREMENT = {
  ...{ sent: 101, received: 100, lost: 1, duplicated: 0, reordered: 0, altered: 0, skipped: 0, elapsed: 2000 },
  ...{ histogram, clockStep: 0.005, sentence: "100 of 101 came back | 1 was lost." },
};
const PLAN = { mode: "interval", interval: 20, seconds: 2, payload: { size: 64 } };

test("figures", () => {
  assert.deepEqual(percentiles(histogram).map(({ label }) => label), ["p50", "p95", "p99", "max"]);
  const found = new Map(figures(MEASUREMENT));
  assert.deepEqual([found.get("max"), found.get("Sent"), found.get("Lost")], ["100 ms", "101", "1"]);
  assert.deepEqual([found.get("Echoes on average"), found.get("Time")], ["50 messages/s", "2.0 s"]);
  assert.equal(found.has("Not sent: the line was full"), false);
  assert.equal(new Map(figures({ ...MEASUREMENT, histogram: new Histogram() })).get("p50"), "none");
  assert.deepEqual([0.00512, 0.8449, 12.34, 1234.5, NaN].map(milliseconds), ["0.00512 ms", "0.845 ms", "12.3 ms", "1235 ms", "none"]);
});

test("Markdown that parses, with the facts that make a figure comparable", () => {
  const facts = { url: "ws://h/ws?a|b", browser: "Chromium 156, Linux", date: "2026-11-28", others: [["Server", "1 ms"]] };
  const text = asMarkdown(MEASUREMENT, PLAN, facts);
  const rows = text.split("\n").filter((line) => line.startsWith("|")).map((line) => line.slice(2, -2).split(/(?<!\\)\|/));
  assert.ok(rows.length > 10 && rows.every((cells) => cells.length === 2));
  for (const part of ["every 20 ms for 2 s, 64 bytes each", "Chromium 156, Linux", "2026-11-28", "Clock step 0.005 ms"]) {
    assert.ok(text.includes(part), part);
  }
  assert.equal(planInWords({ ...PLAN, mode: "burst", count: 5, payload: { kind: "text", data: "abc" } }), "a burst of 5, 3 characters each");
});
