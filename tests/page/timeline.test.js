import assert from "node:assert/strict";
import test from "node:test";

import { Timeline } from "../../static/model/timeline.js";

test("each stretch has its least, median and greatest", () => {
  const timeline = new Timeline(100);
  for (const value of [5, 1, 3]) timeline.add(1010 + value, value);
  timeline.add(1250, 9);
  assert.deepEqual(timeline.take(1260), [{ time: 1000, low: 1, median: 3, high: 5 }]);
  assert.deepEqual(timeline.take(1299), []);
  assert.deepEqual(timeline.take(Infinity), [{ time: 1200, low: 9, median: 9, high: 9 }]);
  assert.deepEqual(timeline.take(Infinity), []);
});

test("many values in one stretch: bounds are exact", () => {
  const timeline = new Timeline(100);
  for (let value = 0; value < 100_000; value += 1) timeline.add(5, value);
  const [{ low, high }] = timeline.take(Infinity);
  assert.deepEqual([low, high], [0, 99_999]);
  assert.ok(timeline.samples.length <= 4096);
});

test("a value after its stretch was taken counts in the next", () => {
  const timeline = new Timeline(100);
  timeline.add(50, 1);
  timeline.take(200);
  timeline.add(60, 2);
  assert.equal(timeline.take(Infinity)[0].median, 2);
});
