import assert from "node:assert/strict";
import test from "node:test";
import { parseBase64, toBase64, toBase64Url } from "../../static/model/base64.js";

test("writing agrees with node for every length", () => {
  for (let length = 0; length < 200; length += 1) {
    const original = Uint8Array.from({ length }, () => Math.random() * 256);
    const text = Buffer.from(original).toString("base64");
    assert.equal(toBase64(original), text);
    assert.equal(toBase64Url(original), Buffer.from(original).toString("base64url"));
    assert.deepEqual(parseBase64(text).bytes, original);
    assert.deepEqual(parseBase64(toBase64Url(original)).bytes, original);
  }
  const long = Uint8Array.from({ length: 20_000 }, (_, at) => at * 7);
  assert.equal(toBase64(long), Buffer.from(long).toString("base64"));
});

test("whitespace is skipped and padding may be missing", () => {
  for (const text of ["aGVsbG8=", "aGVs\nbG8=", " aGVsbG8 ", "aGVsbG8"]) {
    assert.equal(Buffer.from(parseBase64(text).bytes).toString(), "hello", text);
  }
});

test("problems have a line and a column", () => {
  const table = [
    ["aGVs*bG8=", 1, 5, /"\*" is not a character of base64/],
    ["aGVs\n é", 2, 2, /U\+00E9 is not/],
    ["aGVsb", 1, 6, /single character is left/],
    ["a", 1, 2, /single character is left/],
    ["=", 1, 1, /padding/],
    ["aG==bG8=", 1, 5, /follows the padding/],
    ["aGVsbG8==", 1, 9, /padding/],
    ["aG=", 1, 4, /one more "="/],
  ];
  for (const [text, line, column, message] of table) {
    const { problem } = parseBase64(text);
    assert.deepEqual([problem?.line, problem?.column], [line, column], text);
    assert.match(problem.message, message);
  }
});
