import assert from "node:assert/strict";
import test from "node:test";
import {
  foldsBelow, formatted, innerJson, jsonLines, linePieces, looksLikeJson, memberCount, readJson,
} from "../../static/model/json-text.js";

const tokens = ({ text, kinds, starts, ends }) =>
  kinds.map((kind, at) => `${kind} ${text.slice(starts[at], ends[at])}`);
const shown = (text, folds) => {
  const document = readJson(text);
  const lines = jsonLines(document, folds?.(document));
  return lines.map((line) => `${line.depth}|${linePieces(document, line).map((piece) => piece.text).join("")}`);
};

test("everything that JSON.parse reads is read, and nothing else", () => {
  const texts = [
    "1", "-0", "0.5e+10", "1E5", "01", "+1", ".5", "1.", "1e", "-", "--1", "0x1", "NaN", "Infinity", "true", "True",
    "tru", "truex", "null", '""', '"a', '"\\x"', '"\\u12G4"', '"\\u1234"', '"\n"', '"\t"', '"\u007f\u2028"', "'a'",
    "[]", "[", "]", "[,]", "[1,]", "[1 2]", "[1,2]", "{}", "{", "}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1}',
    "{a:1}", '{"a" 1}', '{"a":1 "b":2}', '{"a":1]', "[1}", "", " ", "1 2", "\ufeff1", "\u00a01", " \t\r\n1 \n",
    '{"__proto__":{"x":1},"a":1,"a":2}', "[[[[1]]]]", "1/*c*/", '"\\', '"\\u', '"\\"', '[true,false,null,"x",1.5]',
  ];
  for (const text of texts) {
    let isValid = true;
    try {
      JSON.parse(text);
    } catch {
      isValid = false;
    }
    assert.equal(readJson(text).problem === null, isValid, JSON.stringify(text));
  }
});

test("a problem has line, column and words", () => {
  const table = [
    ["", 1, 1, /there is no value/],
    ["{\n  \"a\": 1\n  \"b\": 2}", 3, 3, /"," or "}" is expected, not """/],
    ["[1,\n2,]", 2, 3, /a value is expected, not "]"/],
    ["[1, tru]", 1, 5, /"tru" is neither/],
    ["{a: 1}", 1, 2, /key in double quotes/],
    ['{"a" 1}', 1, 6, /":" is expected/],
    ["[\n [1", 2, 4, /ends within the "\[" of line 2, column 2/],
    ["1 2", 1, 3, /follows the end/],
    ['["😀" x]', 1, 6, /"," or "]"/],
    ['"abc', 1, 5, /no closing quote/],
    ['"a\\q"', 1, 4, /cannot stand before "q"/],
    ['"a\u0001"', 1, 3, /U\+0001 must be written as an escape/],
  ];
  for (const [text, line, column, message] of table) {
    const { problem } = readJson(text);
    assert.deepEqual([problem.line, problem.column], [line, column], text);
    assert.match(problem.message, message);
  }
});

test("formatting leaves the tokens of 1,000 random documents unchanged", () => {
  for (let round = 0; round < 1000; round += 1) {
    const text = randomJson(5);
    const document = readJson(text);
    assert.equal(document.problem, null, text);
    const printed = formatted(document);
    assert.deepEqual(tokens(readJson(printed)), tokens(document), text);
    assert.deepEqual(JSON.parse(printed), JSON.parse(text));
    assert.equal(formatted(readJson(printed)), printed);
  }
});

function randomJson(depth) {
  const pick = (...choices) => choices[Math.floor(Math.random() * choices.length)];
  const space = () => pick("", "", " ", "\n", "\t ", "\r\n");
  if (Math.random() < 0.1) return JSON.stringify(Array.from({ length: Math.random() * 40 }, (_, at) => at));
  const list = (open, close, item) => {
    const items = Array.from({ length: Math.random() * 4 }, () => space() + item() + space());
    return open + (items.join(",") || space()) + close;
  };
  const string = () => pick('"a"', '""', '"\\u00e9\\n"', '"é😀\u202e"', '"{\\"b\\": [1]}"', '"__proto__"');
  const scalar = () => pick("9007199254740993", "1.0", "-0", "1e400", "true", "null", "0.1000", string());
  if (depth === 0) return scalar();
  return pick(scalar, () => list("[", "]", () => randomJson(depth - 1)),
    () => list("{", "}", () => string() + space() + ":" + space() + randomJson(depth - 1)))();
}

test("a document is laid out in lines, with short arrays on one", () => {
  assert.deepEqual(shown('{"type":"subscribe","ids":[9007199254740993,2],"e":{},"n":{"a":[{"b":1}]}}'), [
    "0|{", '1|"type": "subscribe",', '1|"ids": [9007199254740993, 2],', '1|"e": {},', '1|"n": {', '2|"a": [', "3|{",
    '4|"b": 1', "3|}", "2|]", "1|}", "0|}",
  ]);
  assert.deepEqual(shown(" 1.0 "), ["0|1.0"]);
  assert.deepEqual(shown("[[], []]"), ["0|[", "1|[],", "1|[]", "0|]"]);
});

test("folding hides what is within, and levels fold from the inside", () => {
  const text = '{"a":{"b":{"c":1},"d":2},"e":[{"f":1},3]}';
  assert.deepEqual(shown(text, () => new Set([0])), ["0|{…}"]);
  assert.deepEqual(shown(text, (document) => foldsBelow(document, 1)), ["0|{", '1|"a": {…},', '1|"e": […]', "0|}"]);
  assert.deepEqual(foldsBelow(readJson(text), 9).size, 0);
  const document = readJson(text);
  assert.equal(memberCount(document, 0), 2);
  assert.equal(memberCount(readJson("[]"), 0), 0);
  assert.equal(memberCount(readJson("[[1,2],[3,4],5]"), 0), 3);
});

test("a string that holds JSON can be opened, and no other", () => {
  assert.equal(innerJson('"{\\"a\\": 9007199254740993}"').text, '{"a": 9007199254740993}');
  for (const token of ['"a"', '"[1"', '""', '"1"']) assert.equal(innerJson(token), null);
  assert.equal(looksLikeJson(' \n["a"]'), true);
  assert.equal(looksLikeJson("hello"), false);
});

test("hostile documents cost linear time and no stack", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const document = readJson(deep);
  assert.equal(document.problem, null);
  assert.equal(jsonLines(document).length, 199_999);
  assert.equal(jsonLines(document, foldsBelow(document, 20)).length, 41);
  assert.match(readJson("[".repeat(100_000)).problem.message, /ends within/);
  const long = JSON.stringify("x".repeat(5_000_000));
  assert.equal(readJson(long).ends[0], 5_000_002);
  assert.match(readJson("1".repeat(1_000_000) + "x").problem.message, /^.{1,90}$/);
});
