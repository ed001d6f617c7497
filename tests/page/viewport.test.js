import assert from "node:assert/strict";
import test from "node:test";

import { Following, MAX_HEIGHT, reveal, visibleRows } from "../../static/model/viewport.js";

test("only rows in the view and some beside it are drawn", () => {
  const view = { height: 280, row: 28, extra: 2 };
  const cases = [[0, 100, 0, 12], [280, 100, 8, 22], [2520, 100, 88, 100], [0, 0, 0, 0], [99999, 10, 10, 10]];
  for (const [top, count, first, end] of [...cases, [-50, 100, 0, 12]]) {
    assert.deepEqual(visibleRows({ ...view, top, count }), { first, end });
  }
});

test("the tallest list stays below what browsers can lay out", () => {
  assert.ok(100_000 * 48 < MAX_HEIGHT && MAX_HEIGHT < 17_895_697);
});

test("a row is revealed with the least movement", () => {
  const view = { top: 280, height: 280, row: 28 };
  for (const [index, top] of [[0, 0], [9, 252], [10, 280], [19, 280], [20, 308]]) {
    assert.equal(reveal(view, index), top);
  }
});

test("following ends only when the reader scrolls up, and resumes at the end", () => {
  const following = new Following();
  following.placed({ top: 720, height: 280, total: 1000 });
  following.scrolled({ top: 720, height: 200, total: 1000 }); // the view shrank
  assert.ok(following.on);
  following.scrolled({ top: 600, height: 200, total: 900 }); // rows were dropped
  assert.ok(following.on);
  following.scrolled({ top: 500, height: 200, total: 900 });
  assert.ok(!following.on);
  following.scrolled({ top: 650, height: 200, total: 900 });
  assert.ok(!following.on);
  following.scrolled({ top: 700, height: 200, total: 900 });
  assert.ok(following.on);
});
