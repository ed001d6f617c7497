import assert from "node:assert/strict";
import test from "node:test";
import { direction, rowRuns, rowStarts, visibleRuns } from "../../static/model/visible-text.js";

const shown = (text, options) =>
  visibleRuns(text, options).map(({ text: run, chip }) => (chip ? `[${chip}]` : run)).join("");

test("what a reader could not see becomes a chip", () => {
  const table = [
    ["hello", "hello"],
    ["", ""],
    ["a\u0000b\u001b[31m\u007f", "a[NUL]b[ESC][31m[DEL]"],
    ["a\nb\tc\r", "a[LF]b[TAB]c[CR]"],
    ["\u0085\u009f", "[U+0085][U+009F]"],
    ["invoice-\u202egpj.exe", "invoice-[U+202E]gpj.exe"],
    ["a\u200bb\u2060\ufeff\u00ad", "a[U+200B]b[U+2060][U+FEFF][U+00AD]"],
    ["\u2028\u2029\u061c\u200e\u200f", "[U+2028][U+2029][U+061C][U+200E][U+200F]"],
    ["\u2066\u2067\u2068\u2069\u202a", "[U+2066][U+2067][U+2068][U+2069][U+202A]"],
    ["\u{e0041}\u{e0100}\u3164\u115f", "[U+E0041][U+E0100][U+3164][U+115F]"],
    ["a\ud800b", "a[U+D800]b"],
    ["\ufff9x", "[U+FFF9]x"],
    [`e\u0301 a${"\u0300".repeat(4)}`, `e\u0301 a${"\u0300".repeat(4)}`],
    [`a${"\u0300".repeat(1000)}b`, "a[1000 marks]b"],
    ["👨‍👩‍👧 ❤️ 👍🏽‍x", "👨‍👩‍👧 ❤️ 👍🏽[U+200D]x"],
    ["a\ufe0f a\u200db", "a[U+FE0F] a[U+200D]b"],
    ["<script>alert(1)</script>", "<script>alert(1)</script>"],
  ];
  for (const [text, expected] of table) assert.equal(shown(text), expected);
});

test("line breaks and tabs stay in texts of several lines", () => {
  assert.equal(shown("a\r\nb\tc\rd\n", { breaks: false }), "a\r\nb\tc[CR]d\n");
});

test("chips say what they stand for", () => {
  const titles = (text) => visibleRuns(text).map(({ title }) => title);
  assert.deepEqual(titles("\u202e\u0007\u{e0041}"), [
    "right-to-left override, U+202E", "control character U+0007", "tag, U+E0041",
  ]);
  assert.deepEqual(titles("\u0301".repeat(6)), ["6 combining marks, the first is U+0301"]);
});

test("the runs of any text join to the text", () => {
  for (let round = 0; round < 500; round += 1) {
    const units = Array.from({ length: 50 }, () => Math.floor(Math.random() * (round % 2 ? 0x10000 : 0x2100)));
    const text = String.fromCharCode(...units);
    assert.equal(visibleRuns(text).map((run) => run.text).join(""), text);
    const starts = rowStarts(text, 10);
    assert.ok(starts.every((start, row) => row === 0 || start > starts[row - 1]));
  }
});

test("a row of the log shows the start of a text", () => {
  assert.deepEqual(rowRuns("abc", 3).map(({ text }) => text), ["abc"]);
  assert.deepEqual(rowRuns("abcd", 3).map(({ text }) => text), ["abc", "…"]);
  assert.deepEqual(rowRuns("ab😀d", 3).map(({ text }) => text), ["ab", "…"]);
});

test("the first letter gives the direction", () => {
  const table = [
    ["hello", "ltr"], ["123 שלום", "rtl"], ["مرحبا hello", "rtl"], ["", "ltr"], ["a שלום", "ltr"], ["日本", "ltr"],
  ];
  for (const [text, expected] of table) assert.equal(direction(text), expected, text);
});

test("rows end at line breaks, at spaces, and at the last column", () => {
  const rows = (text, columns) => {
    const starts = rowStarts(text, columns);
    return starts.map((start, row) => text.slice(start, starts[row + 1]));
  };
  const table = [
    ["", 10, [""]],
    ["abc\n\ndef", 10, ["abc\n", "\n", "def"]],
    ["abc\r\ndef", 3, ["abc\r\n", "def"]],
    ["abcdefghij", 4, ["abcd", "efgh", "ij"]],
    ["one two three four", 10, ["one two ", "three four"]],
    ["日本語日本語", 4, ["日本", "語日", "本語"]],
    ["e\u0301e\u0301e\u0301", 2, ["e\u0301e\u0301", "e\u0301"]],
    ["\ta", 2, ["\t", "a"]],
  ];
  for (const [text, columns, expected] of table) assert.deepEqual(rows(text, columns), expected, JSON.stringify(text));
  assert.deepEqual(rows("ab\u202ecd", 9), ["ab\u202e", "cd"]);
});

test("long texts cost linear time", () => {
  assert.equal(rowStarts("x".repeat(5_000_000), 80).length, 62_500);
  assert.ok(rowStarts(`x${"\u0300".repeat(1_000_000)}`, 80).length < 3);
  assert.equal(rowStarts("\u202e".repeat(100_000), 80).length, 9091);
});
