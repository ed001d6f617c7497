import assert from "node:assert/strict";
import test from "node:test";

import { differsAt, isAlike } from "../../static/model/difference.js";

const bytes = (...values) => Uint8Array.from(values);

test("the first byte that differs", () => {
  const cases = [
    ["", "", -1],
    ["abc", "abc", -1],
    ["abc", "abd", 2],
    ["äbc", "äbd", 3],
    ["ab", "abc", 2],
    [bytes(), bytes(), -1],
    [bytes(1, 2), bytes(1, 2), -1],
    [bytes(1, 2), bytes(1, 3), 1],
    [bytes(1, 2), bytes(1, 2, 3), 2],
  ];
  for (const [one, other, at] of cases) assert.equal(differsAt(one, other), at);
});

test("what resembles", () => {
  const cases = [
    ["hello world", "hello_world", true],
    ["hello world", "hello worl", true],
    ["hello world", "hello", false],
    ["hello", "other", false],
    ["hello", bytes(104, 101), false],
    ["", "", true],
    [bytes(1, 2, 3, 4), bytes(9, 2, 3, 4), true],
    [bytes(1, 2, 3, 4), bytes(9, 9, 9, 4), false],
  ];
  for (const [one, other, alike] of cases) assert.equal(isAlike(one, other), alike, `${one} ${other}`);
});
