import assert from "node:assert/strict";
import test from "node:test";
import { linkFragment, readFragment } from "../../static/model/share.js";

const PAGE = "http://host.test:8080/echo/";
const link = (fields) => linkFragment(fields, PAGE).fragment;

test("a link is a fragment of readable pairs", () => {
  const table = [
    [{}, ""],
    [{ url: "ws://host.test:8080/echo/ws/close/4001?reason=a%20b" }, "#url=ws/close/4001?reason=a%2520b"],
    [{ url: "wss://other.test/ws" }, "#url=wss://other.test/ws"],
    [{ url: "ws://host.test:8080/ws" }, "#url=ws://host.test:8080/ws"],
    [{ url: "ws://host.test:8080/echo/" }, "#url=."],
    [{ sub: ["chat", "b"], panel: "measure" }, "#sub=chat,b&panel=measure"],
    [{ as: "text", send: "a b&c=d+#%" }, "#as=text&send=a%20b%26c=d%2B%23%25"],
    [{ scenario: "close" }, "#scenario=close"],
  ];
  for (const [fields, expected] of table) assert.equal(link(fields), expected);
});

test("random fields survive a link", () => {
  for (let round = 0; round < 500; round += 1) {
    const send = String.fromCharCode(...Array.from({ length: 30 }, () => Math.random() * 0xd800)) || "x";
    const url = `ws://host.test:8080/echo/ws/${round}?x=%2b+&y`;
    const fields = { url, sub: ["a", "b"], as: "json", send, panel: "code" };
    const { fields: read, problems } = readFragment(new URL(link(fields), PAGE).hash, PAGE);
    assert.deepEqual(problems, []);
    assert.deepEqual(read, fields);
  }
});

test("an address below the page is found again on another instance", () => {
  const { fields } = readFragment(link({ url: "ws://host.test:8080/echo/ws/drop/2" }), "https://prod.test/");
  assert.equal(fields.url, "wss://prod.test/ws/drop/2");
});

test("secrets never become part of a link", () => {
  const secrets = ["user:pass@host.test/ws", "host.test/ws?access_token=pass", "host.test/ws?a=1&X-Api-Key=pass&b=2",
    "host.test/ws?accessToken=pass", "host.test/ws?client_secret=pass", "host.test/ws?Signature=pass",
    "host.test/ws?apikey=pass", "host.test/ws?%74oken=pass", "host.test/ws?key=pass", "host.test/ws?jwt=pass&jwt=pass"];
  for (const secret of secrets) {
    const { fragment, leftOut } = linkFragment({ url: `wss://${secret}` }, PAGE);
    assert.doesNotMatch(fragment, /pass/, secret);
    assert.deepEqual(leftOut, ["secrets"], secret);
  }
  assert.match(link({ url: "ws://host.test:8080/echo/ws/times/3/abort?key=k1" }), /key=k1/);
  assert.match(link({ url: "wss://other.test/ws?tokens=3&monkey=1" }), /tokens=3&monkey=1|tokens=3%26monkey=1/);
});

test("a message that makes the link longer than 8 KB is left out", () => {
  const { fragment, leftOut } = linkFragment({ url: "wss://a.test/", as: "text", send: "é".repeat(1400) }, PAGE);
  assert.equal(fragment, "#url=wss://a.test/");
  assert.deepEqual(leftOut, ["message"]);
  assert.deepEqual(linkFragment({ as: "text", send: "x".repeat(8000) }, PAGE).leftOut, []);
});

test("hostile fragments fill in nothing that they should not", () => {
  const table = [
    ["#url=javascript:alert(1)", {}, /WebSocket URL/],
    ["#url=http://a.test/", {}, /WebSocket URL/],
    ["#url=ws://[", {}, /WebSocket URL/],
    ["#__proto__=1", {}, /the name is unknown/],
    ["#constructor=1", {}, /the name is unknown/],
    ["#send=%", {}, /percent-encoded/],
    ["#send=%ff", {}, /percent-encoded/],
    ["#panel=../x", {}, /no such panel/],
    ["#as=exe&send=a", { send: "a", as: "text" }, /the kind is unknown/],
    ["#send=a&send=b", { send: "a", as: "text" }, /twice/],
    [`#send=${"x".repeat(70_000)}`, {}, /too long/],
    ["#token=abc", {}, /the name is unknown/],
    ["#as=hex", {}, null],
    ["#&&=", {}, /unknown/],
    ["#<script>", {}, /unknown/],
  ];
  for (const [fragment, expected, message] of table) {
    const { fields, problems } = readFragment(fragment, PAGE);
    assert.deepEqual(fields, expected, fragment.slice(0, 40));
    if (message) assert.match(problems[0], message, fragment.slice(0, 40));
    else assert.deepEqual(problems, []);
  }
  assert.ok(readFragment("#a&".repeat(100_000), PAGE).problems.length <= 5);
});
