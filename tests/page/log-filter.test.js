import assert from "node:assert/strict";
import test from "node:test";

import { Passing, parseFilter, rowTest, searchedText } from "../../static/model/log-filter.js";

const plain = { direction: "sent", kind: "text", echo: null, event: null };
const message = (payload, more = {}) => ({ ...plain, payload, ...more });
const binary = (...values) => message(Uint8Array.from(values), { kind: "binary" });
const event = (text) => message("", { direction: "event", event: { tone: "info", text } });

test("text and expressions are told apart, and faults are named", () => {
  assert.deepEqual(parseFilter("a/b"), { text: "a/b", expression: null, problem: "" });
  for (const typed of ["/", "//", "/a", ""]) assert.equal(parseFilter(typed).text, typed);
  assert.deepEqual(parseFilter("/a.b/gi").expression, { source: "a.b", flags: "i" });
  for (const typed of ["/(/", "/a/qq", "/[z-a]/"]) {
    const { text, expression, problem } = parseFilter(typed);
    assert.ok(text === "" && expression === null && problem, typed);
  }
});

test("rows pass by direction and by kind", () => {
  const rows = {
    sent: message("x"),
    received: message("x", { direction: "received", echo: { state: "differs" } }),
    json: message("{}", { kind: "json" }),
    empty: message("", { kind: "empty" }),
    binary: binary(1),
    file: message(new Blob([]), { kind: "file" }),
    event: event("closed"),
    gap: message("", { direction: "gap", event: { tone: "info", text: "3" } }),
  };
  const cases = {
    all: Object.keys(rows),
    sent: ["sent", "json", "empty", "binary", "file"],
    received: ["received"],
    event: ["event", "gap"],
    text: ["sent", "received", "empty"],
    json: ["json"],
    binary: ["binary", "file"],
    differs: ["received"],
  };
  for (const [show, names] of Object.entries(cases)) {
    assert.deepEqual(Object.keys(rows).filter((name) => rowTest({ show })(rows[name])), names, show);
  }
});

test("text is found in messages, in events and in bytes", () => {
  const cases = [
    ["HELLO", message("say hello"), true],
    ["hello", message("say HELLO"), true],
    ["hello", message("help"), false],
    ["4001", event("Closed 4001"), true],
    ["abc", binary(0x61, 0x61, 0x62, 0x63), true],
    ["61 62", binary(0x00, 0x61, 0x62), true],
    ["abd", binary(0x61, 0x62, 0x63, 0x61, 0x62), false],
    ["é", binary(0xc3, 0xa9), true],
    ["x", message(new Blob(["x"])), false],
    ["long needle", binary(1), false],
  ];
  for (const [text, row, passes] of cases) assert.equal(rowTest({ text })(row), passes, text);
});

test("an expression sees text, or hexadecimal pairs", () => {
  assert.equal(searchedText(message("abc")), "abc");
  assert.equal(searchedText(binary(0, 255)), "00 ff");
  assert.equal(searchedText(event("closed")), "closed");
  assert.equal(searchedText(message(new Blob(["x"]))), "");
});

test("ids keep their order while rows are found at both ends and dropped", () => {
  const passing = new Passing();
  for (let id = 99; id >= 0; id -= 3) passing.addOlder(id);
  for (let id = 102; id < 40000; id += 3) passing.addNewer(id);
  const all = () => Array.from({ length: passing.length }, (_, index) => passing.at(index));
  const expected = Array.from({ length: passing.length }, (_, index) => 3 * index);
  assert.deepEqual(all(), expected);
  for (const [first, forgotten] of [[50, 17], [105, 18], [105, 0], [36000, 11965]]) {
    assert.equal(passing.drop(first), forgotten);
    assert.deepEqual(all(), expected.filter((id) => id >= first));
    assert.equal(passing.indexOf(passing.at(5)), 5);
  }
  assert.equal(passing.at(passing.length), undefined);
  assert.equal(passing.indexOf(1e9), passing.length);
});
