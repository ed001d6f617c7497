import assert from "node:assert/strict";
import { test } from "node:test";

import { generated, listedMessage, parseAct, plan } from "../../static/model/act.js";

const NOTHING = { messages: [], echo: false, close: false, repeat: false, protocols: [], connections: 1, untilOpen: false };

test("acts that a browser can perform", () => {
  const cases = [
    ["wait", {}],
    ["echo", { echo: true }],
    ["close", { close: true }],
    ["close after the first message", { close: true }],
    ["send hello, close", { messages: ["hello"], close: true }],
    ["send one, two, three", { messages: ["one", "two", "three"] }],
    ["send café, κόσμε, 🙂", { messages: ["café", "κόσμε", "🙂"] }],
    ["send 3 of size 2KiB", { messages: ["size:2KiB", "size:2KiB", "size:2KiB"] }],
    ["send hello each second", { messages: ["hello"], repeat: true }],
    ["offer the subprotocols one and two, echo", { protocols: ["one", "two"], echo: true }],
    ["wait, connect again", { connections: 2 }],
    ["connect, and connect again after each connection, 4 in all", { connections: 4 }],
    ["connect until it opens", { connections: 20, untilOpen: true }],
  ];
  for (const [text, change] of cases) assert.deepEqual(parseAct(text), { ...NOTHING, ...change }, text);
});

test("acts that a browser cannot perform, or that nobody knows", () => {
  for (const text of [
    "",
    "ping",
    "read one message a second",
    "authenticate as ann with secret, send hello, close",
    "send the token secret in Authorization, send hello, close",
    "send 999999 of size 1GiB",
    "send 9999 of size 1MiB",
    "connect, and connect again after each connection, 99 in all",
    "dance",
  ]) {
    assert.equal(parseAct(text), null, text);
  }
});

test("a generated message is what the server generates", () => {
  assert.equal(generated(20, 1), "1:abcdefghi:9612abc0");
  assert.equal(generated(2, 7), "ab");
  assert.equal(generated(65536, 12).slice(-13), "abcd:79d1b4e4");
  assert.equal(generated(65536, 12).length, 65536);
  assert.equal(listedMessage("size:1KiB", 2), generated(1024, 2));
  assert.equal(listedMessage("hex:00ff", 1), "hex:00ff");
});

test("what a trial waits for", () => {
  const row = { act: "send one, two", messages: null, echoes: true };
  const expected = { opens: true, messages: { least: 2, most: 2 }, close: null, within: 7 };
  const planned = plan(row, expected);
  assert.deepEqual([planned.listed, planned.reads, planned.ends, planned.within], [["one", "two"], 2, false, 7]);
  assert.equal(plan({ ...row, act: "wait" }, { ...expected, close: { codes: [1000] } }).ends, true);
  assert.equal(plan({ ...row, act: "close" }, { ...expected, close: { codes: [1000] } }).ends, false);
  assert.equal(plan({ ...row, act: "wait" }, { attempts: [{ close: { codes: [1] } }, { opens: true }] }).ends, false);
  assert.equal(plan(row, null).ends, true);
  assert.equal(plan({ ...row, act: "ping" }, expected), null);
});
