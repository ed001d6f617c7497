import assert from "node:assert/strict";
import test from "node:test";

import { Histogram } from "../../static/model/histogram.js";

function filled(values) {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

const nearestRank = (sorted, percent) => sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1];

test("percentiles are within 1.6 % (or 1 µs) of those of the sorted values", () => {
  for (const scale of [0.05, 1, 50, 3000, 1e6]) {
    const values = Array.from({ length: 2000 }, () => Math.random() ** 3 * scale);
    const histogram = filled(values);
    values.sort((a, b) => a - b);
    for (const percent of [0, 1, 25, 50, 90, 95, 99, 99.9, 100]) {
      const exact = nearestRank(values, percent);
      const error = Math.abs(histogram.percentile(percent) - exact);
      assert.ok(error <= Math.max(0.001, exact * 0.016), `${percent} of ${scale}: ${exact}`);
    }
    assert.equal(histogram.min, values[0]);
    assert.equal(histogram.max, values.at(-1));
    assert.equal(histogram.percentile(100), values.at(-1));
  }
});

test("each bucket holds its values, and is less than 3 % wide from 0.1 ms on", () => {
  for (let value = 0.0005; value < 1e7; value *= 1.07) {
    const [{ from, to, count }] = filled([value]).buckets();
    assert.equal(count, 1);
    assert.ok(from <= value && value < to, `${from} ${value} ${to}`);
    if (value >= 0.1) assert.ok((to - from) / from < 0.03, String(value));
  }
});

test("buckets are contiguous", () => {
  const edges = filled(Array.from({ length: 5000 }, (_, index) => index / 1000)).buckets();
  for (let index = 1; index < edges.length; index += 1) assert.equal(edges[index].from, edges[index - 1].to);
});

test("it survives a structured clone", () => {
  const histogram = filled([1, 2, 3]);
  assert.deepEqual(Histogram.from(structuredClone(histogram)), histogram);
  assert.equal(Histogram.from(structuredClone(new Histogram())).max, -Infinity);
});

test("without values there is no percentile; odd values have a bucket", () => {
  assert.ok(Number.isNaN(new Histogram().percentile(50)));
  assert.equal(filled([-1]).min, 0);
  assert.equal(filled([1e15]).count, 1);
});
