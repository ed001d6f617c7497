import assert from "node:assert/strict";
import test from "node:test";

import { peak, Rates } from "../../static/model/rates.js";

const T = 1_700_000_000_000;

test("whole seconds, oldest first, without the one that is not over", () => {
  const rates = new Rates();
  rates.addSent(T + 100, 10);
  rates.addSent(T + 999, 5);
  rates.addReceived(T + 2000, 7);
  rates.addReceived(T + 3500, 1);
  assert.deepEqual(rates.series(T + 3600), [
    { time: T, sent: 2, sentBytes: 15, received: 0, receivedBytes: 0 },
    { time: T + 1000, sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 },
    { time: T + 2000, sent: 0, sentBytes: 0, received: 1, receivedBytes: 7 },
  ]);
});

test("at most 60 seconds, also after a long silence", () => {
  const rates = new Rates();
  for (let second = 0; second < 200; second += 1) rates.addSent(T + second * 1000, 1);
  const series = rates.series(T + 200_000);
  assert.equal(series.length, 60);
  assert.ok(series.every(({ sent }) => sent === 1));
  assert.ok(rates.series(T + 900_000).every(({ sent }) => sent === 0));
  rates.addSent(T + 10_000_000, 1);
  assert.equal(rates.series(T + 10_001_000).reduce((sum, { sent }) => sum + sent, 0), 1);
});

test("a clock that is put back does not lose or invent", () => {
  const rates = new Rates();
  rates.addSent(T + 10_000, 1);
  rates.addSent(T + 5000, 1);
  rates.addSent(T - 1_000_000, 1);
  assert.equal(rates.series(T + 11_000).reduce((sum, { sent }) => sum + sent, 0), 2);
});

test("peaks, a clone, and nothing", () => {
  const rates = new Rates();
  assert.deepEqual(rates.series(T), []);
  assert.deepEqual(peak([]), { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 });
  rates.addReceived(T, 4);
  const copy = Rates.from(structuredClone(rates));
  assert.equal(peak(copy.series(T + 1000)).receivedBytes, 4);
});
