import assert from "node:assert/strict";
import test from "node:test";

import { Series } from "../../static/model/series.js";

const generated = (filling, size, run = 7) => new Series({ filling, size, seed: 3 }, run);

test("generated payloads have the size that was asked for, and carry their number", () => {
  for (const filling of ["counter", "zeros", "random"]) {
    for (const size of [16, 17, 1000]) {
      const series = generated(filling, size);
      const data = series.make(123_456, 1.5);
      assert.equal(data.length, size);
      assert.equal(series.size, size);
      assert.equal(series.numberIn(data), 123_456);
      assert.equal(generated(filling, size, 8).numberIn(data), -1);
    }
  }
});

test("JSON carries its number, and is JSON", () => {
  const series = generated("json", 200);
  const text = series.make(42, 0);
  assert.equal(text.length, 200);
  assert.equal(JSON.parse(text).number, "00000042");
  assert.equal(series.numberIn(text), 42);
  assert.equal(series.numberIn('{"run":7}'), -1);
  assert.equal(series.numberIn(new Uint8Array(200)), -1);
  assert.equal(generated("json", 1).size, generated("json", 1).make(9, 0).length);
});

test("short and fixed payloads carry no number", () => {
  const short = generated("counter", 15);
  assert.deepEqual([...short.make(5, 0)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  const fixed = new Series({ kind: "text", data: "é" }, 1);
  assert.deepEqual([fixed.make(9, 0), fixed.size, fixed.isNumbered, short.isNumbered], ["é", 2, false, false]);
  assert.equal(short.numberIn(short.make(5, 0)), -1);
});

test("random filling depends on the seed alone, and looks random", () => {
  const one = generated("random", 4096).template;
  assert.deepEqual(one, generated("random", 4096).template);
  assert.notDeepEqual(one, new Series({ filling: "random", size: 4096, seed: 4 }, 7).template);
  assert.equal(new Set(one).size, 256);
});

test("sizes are bounded", () => {
  assert.equal(new Series({ filling: "zeros", size: 1e12 }, 1).template.length, 16 * 1024 * 1024);
  assert.equal(new Series({ filling: "zeros", size: -1 }, 1).template.length, 0);
  assert.equal(new Series({ filling: "zeros", size: "x" }, 1).template.length, 0);
});
