import assert from "node:assert/strict";
import test from "node:test";
import { hexRow, parseHex, readings, toHex } from "../../static/model/hex.js";

const bytes = (...values) => Uint8Array.from(values);

test("typed hex is read in every usual notation", () => {
  const table = [
    ["", []],
    ["  \n", []],
    ["00ff7F", [0, 255, 127]],
    ["00 ff\n7F", [0, 255, 127]],
    ["0x00, 0xff, 0X7f", [0, 255, 127]],
    ["\\x00\\xff\\x7f", [0, 255, 127]],
    ["00:ff:7f", [0, 255, 127]],
    ["0 x".replace(" ", "") + "0a", [10]],
  ];
  for (const [text, expected] of table) {
    const { bytes: read, problem } = parseHex(text);
    assert.equal(problem, null, text);
    assert.deepEqual([...read], expected, text);
  }
});

test("problems in typed hex have a line and a column", () => {
  const table = [
    ["0", 1, 2, /after "0" comes the end/],
    ["00 f", 1, 5, /after "f" comes the end/],
    ["00\n0g", 2, 2, /after "0" comes "g"/],
    ["zz", 1, 1, /"z" is not a hex digit/],
    ["😀 00 é", 1, 1, /U\+1F600 is not a hex digit/],
    ["00 0 1", 1, 5, /after "0" comes U\+0020/],
  ];
  for (const [text, line, column, message] of table) {
    const { problem } = parseHex(text);
    assert.deepEqual([problem.line, problem.column], [line, column], text);
    assert.match(problem.message, message);
  }
});

test("random bytes survive writing and reading", () => {
  for (let length = 0; length < 300; length += 7) {
    const original = Uint8Array.from({ length }, () => Math.random() * 256);
    for (const separator of ["", " ", "\n", ", "]) {
      assert.deepEqual(parseHex(toHex(original, separator)).bytes, original);
    }
  }
  const long = new Uint8Array(20_000).fill(7);
  assert.deepEqual(parseHex(toHex(long, " ")).bytes, long);
});

test("a row shows offset, digits and printable characters", () => {
  const row = hexRow(bytes(0x00, 0x41, 0x7f, 0x80, 0x20), 1, 16);
  assert.deepEqual(row, { offset: "00000001", digits: ["41", "7f", "80", "20"], characters: "A·· " });
  assert.deepEqual(hexRow(bytes(1, 2, 3, 4), 0, 2).digits, ["01", "02"]);
});

test("a range is read as numbers of both byte orders and as text", () => {
  const read = (...values) => Object.fromEntries(readings(bytes(...values)).map(({ name, value }) => [name, value]));
  assert.deepEqual(read(0xff), { unsigned: "255", signed: "-1" });
  assert.deepEqual(read(0x41), { unsigned: "65", signed: "65", "UTF-8": "A" });
  assert.equal(read(0x3f, 0x80, 0, 0)["float, big-endian"], "1");
  assert.equal(read(0, 0, 0x80, 0x3f)["float, little-endian"], "1");
  assert.equal(read(0, 0, 0, 0, 0, 0, 0xf0, 0x3f)["float, little-endian"], "1");
  assert.equal(read(0xff, 0xfe)["signed, little-endian"], "-257");
  assert.equal(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)["unsigned, big-endian"], "18446744073709551615");
  assert.deepEqual(read(...new Array(9).fill(0xff)), {});
});
