import assert from "node:assert/strict";
import test from "node:test";
import { characterAt, position } from "../../static/model/position.js";

test("lines and columns count from 1, in characters", () => {
  assert.deepEqual(position("", 0), { index: 0, line: 1, column: 1 });
  assert.deepEqual(position("ab\ncd", 4), { index: 4, line: 2, column: 2 });
  assert.deepEqual(position("ab\ncd", 2), { index: 2, line: 1, column: 3 });
  assert.deepEqual(position("😀x", 2), { index: 2, line: 1, column: 2 });
});

test("a character is named by its number unless it is printable ASCII", () => {
  assert.equal(characterAt("a", 0), '"a"');
  assert.equal(characterAt("\u202e", 0), "U+202E");
  assert.equal(characterAt("\n", 0), "U+000A");
  assert.equal(characterAt("", 0), "the end");
});
