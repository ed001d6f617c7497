import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalogue, bytes, problem, seconds, url } from "../../static/model/scenario.js";

const code = {
  name: "code",
  type: "closecode",
  accepts: "a close code that may be sent",
  meaning: "1000 if left out",
  optional: true,
  default: "1000",
  least: 1000,
  most: 4999,
};
const browser = (more) => ({ opens: true, messages: { least: 0, most: 0 }, within: 5, visible: true, ...more });
const row = (number, address, more = {}) => ({ number, url: address, act: "wait", expect: {}, slow: 0, needs: [], ...more });
const word = (name, more) => ({ name, group: "A", stage: "open", arguments: [], options: [], server: name, client: "", ...more });
const CATALOGUE = {
  version: "1.4",
  groups: { A: "How it ends" },
  words: [
    word("close", {
      arguments: [code],
      options: ["reason"],
      rows: [row("1.1", "/ws/close/1000", { browser: browser({ close: { codes: [1000], clean: true } }) })],
    }),
    word("malformed/rsv1", { rows: [row("2.1", "/ws/malformed/rsv1/message/more")] }),
    word("message", { arguments: [{ name: "data", type: "bytes", accepts: "text" }], rows: [row("3.1", "/ws/message/a%2Fb")] }),
    word("burst", {
      arguments: [
        { name: "count", type: "count", least: 1, most: 10, accepts: "a number" },
        { name: "size", type: "size", least: 0, most: 100, accepts: "a size" },
      ],
      rows: [row("4.1", "/ws/burst/5/20", { browser: browser({ messages: { least: 5, most: 5 } }) })],
    }),
    word("delay", {
      arguments: [{ name: "duration", type: "duration", accepts: "a duration", least: 0, most: 60 }],
      rows: [row("5.1", "/ws/delay/2s/close/4000?reason=going%20away", { browser: browser({ close: { codes: [4000] }, within: 10 }) })],
    }),
  ],
  sequences: [row("9.1", "/ws/times/3/close/1001/next")],
  options: [
    { name: "reason", type: "text", accepts: "text", default: "" },
    { name: "latency", type: "duration", accepts: "a duration", default: "0s" },
  ],
};
const catalogue = new Catalogue(CATALOGUE);
const rowOf = (number) => catalogue.rows.find((each) => each.number === number);

test("the form of each row says the URL of the row", () => {
  assert.equal(catalogue.rows.length, 6);
  for (const each of catalogue.rows) assert.equal(url(catalogue.form(each.url)), each.url);
});

test("a form has a field for each argument of each step and for the options", () => {
  const fields = catalogue.fields(catalogue.form("/ws/times/2/burst/3/4KiB/close"));
  assert.deepEqual(
    fields.map(({ id, label, value, own }) => [id, label, value, own]),
    [
      ["0.0", "times: count", "2", true],
      ["1.0", "burst: count", "3", true],
      ["1.1", "burst: size", "4KiB", true],
      ["2.0", "close: code", null, true],
      ["reason", "reason", null, true],
      ["latency", "latency", null, false],
    ],
  );
});

test("sentences have the values of the arguments", () => {
  const told = new Catalogue({ words: [word("close", { arguments: [code], server: "Closes with {code}, {nothing}." })] });
  assert.deepEqual(told.sentences(told.form("/ws/times/2/close/4000/next/close")), [
    "2 connections get what follows.",
    "Closes with 4000, {nothing}.",
    "Later connections get what follows.",
    "Closes with 1000, {nothing}.",
  ]);
});

test("an option may be left out, whatever its default is", () => {
  const form = new Catalogue({ options: [{ name: "rate", type: "size", accepts: "a size", optional: false, default: null }] });
  const [{ argument }] = form.fields(form.form("/ws"));
  assert.equal(problem(argument, null), "");
});

test("an option of a step that is not there is no field", () => {
  const ids = catalogue.fields(catalogue.form("/ws/malformed/rsv1")).map(({ id }) => id);
  assert.deepEqual(ids, ["latency"]);
});

test("values are written so that the server reads the same", () => {
  const form = catalogue.form("/ws/message/x");
  const written = (value) => url({ ...form, steps: [{ name: "message", values: [value] }] });
  const cases = [
    ["a/b", "/ws/message/a%2Fb"],
    ["", "/ws/message/hex:"],
    [".", "/ws/message/hex:2e"],
    ["..", "/ws/message/hex:2e2e"],
    ["\\ ?#%", "/ws/message/%5C%20%3F%23%25"],
    ["hex:00ff", "/ws/message/hex:00ff"],
    ["\ud800", "/ws/message/%EF%BF%BD"],
    [null, "/ws/message"],
  ];
  for (const [value, path] of cases) assert.equal(written(value), path);
  const options = new Map([["reason", "a&b=c/d e"], ["keep", ""]]);
  assert.equal(url({ steps: [], options }), "/ws?reason=a%26b%3Dc/d%20e&keep");
});

test("fields are checked by type and bounds", () => {
  const count = { type: "count", name: "count", accepts: "1 to 9", least: 1, most: 9, default: null, choices: [] };
  assert.equal(problem(count, "9"), "");
  for (const value of ["0", "10", "1.5", "-1", "x", "1e1"]) assert.equal(problem(count, value), "must be 1 to 9", value);
  assert.equal(problem(count, ""), "count is needed: 1 to 9");
  assert.equal(problem({ ...count, optional: true }, null), "");
  const choice = { ...count, type: "choice", choices: ["on", "off"] };
  assert.equal(problem(choice, "on"), "");
  assert.notEqual(problem(choice, "maybe"), "");
  assert.equal(problem({ ...count, type: "size", most: 2048 }, "2KiB"), "");
  assert.notEqual(problem({ ...count, type: "size", most: 2048 }, "3KiB"), "");
  assert.equal(problem({ ...count, type: "text" }, "anything"), "");
  assert.deepEqual(["500ms", "2s", "1.5m", "3", "x", ""].map(seconds), [0.5, 2, 90, 3, null, null]);
  assert.deepEqual(["1", "2B", "3KiB", "1MiB", "1GiB", "1kb"].map(bytes), [1, 2, 3072, 1 << 20, 1 << 30, null]);
});

test("an expectation carries over to other codes, counts and durations, and to nothing else", () => {
  const expected = (number, address) => catalogue.expected(rowOf(number), catalogue.form(address));
  assert.deepEqual(expected("1.1", "/ws/close/4001").close, { codes: [4001], clean: true });
  assert.deepEqual(expected("1.1", "/ws/close/1000?reason=x&key=k").close, { codes: [1000], clean: true });
  assert.equal(expected("1.1", "/ws/close/1000?latency=2s"), null);
  assert.deepEqual(expected("4.1", "/ws/burst/7/20").messages, { least: 7, most: 7 });
  assert.equal(expected("4.1", "/ws/burst/5/30"), null);
  assert.equal(expected("5.1", "/ws/delay/10s/close/4001?reason=going%20away").within, 18);
  assert.equal(expected("2.1", "/ws/malformed/rsv1/message/more"), null);
});

test("a hostile catalogue becomes text or is left out", () => {
  const hostile = JSON.parse(`{"version": {}, "groups": {"__proto__": 3, "A": ["x"]}, "words": [null, 3, {"name": "__proto__",
    "arguments": [null, {"name": {}, "least": "9", "choices": "no"}], "options": [7], "rows": [null, {"url": 5},
    {"url": "/ws/__proto__/constructor", "browser": [], "needs": {}, "slow": "x", "number": ["<img>"]},
    {"url": "javascript:alert(1)"}]}], "sequences": {"a": 1}, "options": [[], {"name": "toString"}]}`);
  const read = new Catalogue(hostile);
  assert.equal(read.version, "");
  assert.deepEqual(read.rows.map((each) => [each.url, each.number, each.slow, each.browser]), [
    ["/ws/__proto__/constructor", "", 0, null],
  ]);
  assert.equal(url(read.form("/ws/__proto__/constructor")), "/ws/__proto__/constructor");
  assert.equal(read.fields(read.form(read.rows[0].url)).length > 0, true);
  for (const nothing of [null, undefined, [], "x", 3]) assert.deepEqual(new Catalogue(nothing).rows, []);
  const long = new Catalogue({ words: [word("x", { rows: Array(5000).fill(row("1", "/ws/" + "x".repeat(9000))) })] });
  assert.equal(long.rows.length, 2000);
  assert.equal(long.rows[0].url.length, 2000);
  assert.equal({}.polluted, undefined);
});
