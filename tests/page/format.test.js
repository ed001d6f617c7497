import assert from "node:assert/strict";
import test from "node:test";

import { bytes, clock, duration, elapsed, integer, milliseconds, offset } from "../../static/model/format.js";

test("sizes are exact below 10,000 bytes and have three digits above", () => {
  const cases = [[0, "0 B"], [141, "141 B"], [9999, "9,999 B"], [10240, "10.0 KiB"], [65536, "64.0 KiB"]];
  cases.push([2 ** 20, "1.00 MiB"], [64 * 2 ** 20, "64.0 MiB"], [5 * 2 ** 40, "5.00 TiB"], [2 ** 60, "1,048,576 TiB"]);
  for (const [size, text] of cases) assert.equal(bytes(size), text);
});

test("times keep three digits, and a column shows nothing for no time", () => {
  for (const [time, text] of [[0.005, "0.01"], [0.84, "0.84"], [12.34, "12.3"], [1204.4, "1,204"], [NaN, ""]]) {
    assert.equal(milliseconds(time), text);
  }
  for (const [time, text] of [[0.84, "0.84 ms"], [999.6, "1.0 s"], [4200, "4.2 s"], [245000, "4:05"]]) {
    assert.equal(duration(time), text);
  }
});

test("a stopwatch shows hours only when there are some", () => {
  for (const [time, text] of [[-5, "0:00"], [42999, "0:42"], [3723000, "1:02:03"], [360000000, "100:00:00"]]) {
    assert.equal(elapsed(time), text);
  }
});

test("clock times and offsets have milliseconds", () => {
  assert.equal(clock(new Date(2026, 0, 2, 3, 4, 5, 6).getTime()), "03:04:05.006");
  for (const [time, text] of [[6, "+0.006"], [-6, "−0.006"], [61200, "+61.200"], [NaN, ""]]) {
    assert.equal(offset(time), text);
  }
  assert.equal(integer(1204), "1,204");
});
