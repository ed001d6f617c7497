import assert from "node:assert/strict";
import test from "node:test";

import { outcome, Returns } from "../../static/model/returns.js";
import { Series } from "../../static/model/series.js";

const PAYLOADS = {
  numbered: { filling: "random", size: 64, seed: 1 },
  stamp: { filling: "zeros", size: 16 },
  json: { filling: "json", size: 100 },
};

function load(payload, count) {
  const returns = new Returns(new Series(payload, 99));
  const sent = Array.from({ length: count }, (_, number) => returns.send(number / 10).data);
  return { returns, sent };
}

test("an honest peer", () => {
  for (const payload of [...Object.values(PAYLOADS), { kind: "text", data: "hello" }, { filling: "zeros", size: 0 }]) {
    const { returns, sent } = load(payload, 100);
    sent.forEach((data, number) => {
      assert.deepEqual(returns.receive(data, 50), { number, state: "same", at: -1, roundTrip: 50 - number / 10 });
    });
    assert.equal(returns.loseAll(), 0);
    const expected = { sent: 100, returned: 100, lost: 0, duplicated: 0, reordered: 0, altered: 0 };
    assert.deepEqual(returns.counts, expected);
    assert.equal(outcome(returns.counts), "All 100 came back, in order, unchanged.");
  }
});

test("a lying peer is counted exactly", () => {
  for (const payload of Object.values(PAYLOADS)) {
    const { returns, sent } = load(payload, 20);
    const altered = payload.filling === "json" ? `${sent[5].slice(0, -3)}y"}` : flipped(sent[5], 15);
    const order = [sent[0], sent[0], sent[1], sent[3], sent[2], sent[4], altered, ...sent.slice(8), sent[19]];
    for (const data of order) returns.receive(data, 50);
    assert.equal(returns.loseAll(), 2);
    assert.deepEqual(returns.counts, { sent: 20, returned: 18, lost: 2, duplicated: 2, reordered: 1, altered: 1 });
  }
});

test("a byte changed anywhere is an altered message at that byte, in its number too", () => {
  for (const payload of [PAYLOADS.numbered, PAYLOADS.stamp]) {
    for (let at = 0; at < payload.size; at += 1) {
      const { returns, sent } = load(payload, 3);
      const found = returns.receive(flipped(sent[0], at), 50);
      assert.equal(found?.state, "differs", String(at));
      assert.equal(found.at, at);
      assert.equal(returns.counts.altered, 1);
    }
  }
});

test("a message that is cut is altered from its end on", () => {
  const { returns, sent } = load(PAYLOADS.numbered, 2);
  assert.deepEqual(returns.receive(sent[0].slice(0, 60), 1), { number: 0, state: "differs", at: 60, roundTrip: 1 });
});

test("other messages do not belong to the load", () => {
  const { returns } = load(PAYLOADS.numbered, 2);
  for (const data of ["hello", "", new Uint8Array(0), new Uint8Array(64).fill(9)]) {
    assert.equal(returns.receive(data, 1), null);
  }
  assert.equal(returns.outstanding, 2);
});

test("without numbers, more than was sent is more than was sent", () => {
  const { returns } = load({ kind: "text", data: "hello" }, 2);
  for (let count = 0; count < 3; count += 1) returns.receive("hello", 1);
  assert.deepEqual(returns.counts, { sent: 2, returned: 2, lost: 0, duplicated: 1, reordered: 0, altered: 0 });
});

test("sentences", () => {
  const counts = { sent: 10_000, returned: 9990, lost: 10, duplicated: 1, reordered: 2, altered: 3, skipped: 5 };
  assert.equal(
    outcome(counts).replace(/[^\w\s:.]/g, ""),
    "9990 of 10000 came back: 10 lost 2 out of order 3 altered 1 more than sent. 5 were due but not sent.",
  );
  assert.equal(outcome({ ...counts, sent: 0 }), "Nothing was sent.");
  assert.equal(outcome({ sent: 1, returned: 1 }), "The message came back unchanged.");
});

function flipped(data, at) {
  const copy = data.slice();
  copy[at] ^= 0xff;
  return copy;
}
