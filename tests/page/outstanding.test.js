import assert from "node:assert/strict";
import test from "node:test";

import { Outstanding } from "../../static/model/outstanding.js";

test("numbers count up; each is taken once", () => {
  const outstanding = new Outstanding();
  assert.deepEqual([10, 20, 30].map((time) => outstanding.add(time)), [0, 1, 2]);
  assert.deepEqual([1, 1, 3, -1].map((number) => outstanding.take(number)), [20, NaN, NaN, NaN]);
  assert.deepEqual([outstanding.oldest, outstanding.size], [0, 2]);
  outstanding.take(0);
  assert.equal(outstanding.oldest, 2);
  outstanding.clear();
  assert.deepEqual([outstanding.oldest, outstanding.size, outstanding.add(5)], [-1, 0, 3]);
  assert.equal(outstanding.get(3), 5);
});

test("it agrees with a map, whatever is taken in whatever order", () => {
  const [outstanding, map] = [new Outstanding(), new Map()];
  for (let step = 0; step < 50_000; step += 1) {
    if (Math.random() < 0.5) map.set(outstanding.add(step), step);
    else {
      const number = outstanding.end - 1 - Math.floor(Math.random() ** 2 * 3000);
      assert.equal(outstanding.take(number), map.get(number) ?? NaN);
      map.delete(number);
    }
    assert.equal(outstanding.size, map.size);
    if (step % 500 === 0) assert.equal(outstanding.oldest, map.size ? Math.min(...map.keys()) : -1);
  }
});

test("late ones are counted apart until they are taken", () => {
  const outstanding = new Outstanding();
  for (const time of [10, 20, 30, 40]) outstanding.add(time);
  outstanding.take(1);
  outstanding.expire(35);
  assert.deepEqual([outstanding.size, outstanding.late], [3, 2]);
  outstanding.take(0);
  outstanding.expire(35);
  assert.deepEqual([outstanding.size, outstanding.late], [2, 1]);
  outstanding.take(3);
  assert.deepEqual([outstanding.size, outstanding.late], [1, 1]);
  outstanding.clear();
  assert.equal(outstanding.late, 0);
});

test("in order it needs no more room than what is outstanding", () => {
  const outstanding = new Outstanding();
  for (let step = 0; step < 1_000_000; step += 1) {
    outstanding.add(step);
    if (step >= 500) outstanding.take(step - 500);
  }
  assert.equal(outstanding.size, 500);
});
