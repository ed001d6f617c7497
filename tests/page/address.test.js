import assert from "node:assert/strict";
import test from "node:test";

import * as address from "../../static/model/address.js";

const PAGE = new URL("http://localhost:8080/echo/");
const SECURE = new URL("https://example.com/echo/");
const judge = (text, page = PAGE) => address.judgeAddress(text, page);

test("WebSocket URLs are taken as typed", () => {
  const urls = ["ws://localhost:8080/ws", "WSS://Example.com/a?b=c&d", "ws://user:word@host/", "ws://[::1]:8/ü x"];
  for (const url of urls) assert.deepEqual(judge(url), { url, problem: "", offer: "" });
  assert.equal(judge("  ws://a/ ").url, "ws://a/");
});

test("what was probably meant is offered", () => {
  const cases = [
    ["", "ws://localhost:8080/echo/ws"],
    ["localhost:8080", "ws://localhost:8080"],
    ["localhost", "ws://localhost"],
    ["127.0.0.1:80/ws", "ws://127.0.0.1:80/ws"],
    ["[::1]:8080", "ws://[::1]:8080"],
    ["example.com/ws?a", "ws://example.com/ws?a"],
    ["/path", "ws://localhost:8080/path"],
    ["//host/path", "ws://host/path"],
    ["http://a/b", "ws://a/b"],
    ["https://a/b", "wss://a/b"],
    ["ws://a/b#c", "ws://a/b"],
  ];
  for (const [typed, offer] of cases) {
    const judged = judge(typed);
    assert.equal(judged.url, "", typed);
    assert.notEqual(judged.problem, "", typed);
    assert.equal(judged.offer, offer, typed);
  }
  assert.equal(judge("example.com", SECURE).offer, "wss://example.com");
  assert.equal(judge("localhost:1234", SECURE).offer, "ws://localhost:1234");
});

test("what cannot be meant has a problem and no offer", () => {
  for (const typed of ["ftp://a/", "ws://", "ws:", "javascript:alert(1)", "a b", "ws://a:99999/", "hello"]) {
    const { url, problem, offer } = judge(typed);
    assert.deepEqual([url, offer], ["", ""], typed);
    assert.notEqual(problem, "", typed);
  }
});

test("blocked ports", () => {
  for (const url of ["ws://a:22/", "ws://a:6667/", "wss://a:25/"]) assert.match(judge(url).problem, /block port/);
  assert.equal(judge("ws://a:8080/").problem, "");
});

test("an HTTPS page and ws:", () => {
  assert.deepEqual(judge("ws://a/b", SECURE), { url: "", problem: address.MIXED_CONTENT, offer: "wss://a/b" });
  for (const url of ["ws://localhost/", "ws://127.0.0.1:8080/", "ws://[::1]/", "wss://a/"]) {
    assert.equal(judge(url, SECURE).problem, "", url);
  }
});

test("addresses of this server", () => {
  assert.equal(address.socketUrl("ws/close/4001", PAGE), "ws://localhost:8080/echo/ws/close/4001");
  assert.equal(address.socketUrl("ws", SECURE), "wss://example.com/echo/ws");
  assert.equal(address.isOwnServer("ws://localhost:8080/else", PAGE), true);
  assert.equal(address.isOwnServer("ws://localhost:8081/else", PAGE), false);
  assert.equal(address.isOwnServer("wss://localhost:8080/else", PAGE), false);
  assert.equal(address.isOwnServer("nonsense", PAGE), false);
  assert.equal(address.httpUrl("wss://a/b"), "https://a/b");
});

test("secrets are removed", () => {
  const cases = [
    ["ws://user:word@a/b", "ws://a/b"],
    ["ws://a/?token=1&n=2", "ws://a/?token=&n=2"],
    ["ws://a/?api_key=1&X-Amz-Signature=2&secret=3&password=4", "ws://a/?api_key=&X-Amz-Signature=&secret=&password="],
    ["nonsense", ""],
  ];
  for (const [text, cleaned] of cases) assert.equal(address.withoutSecrets(text), cleaned);
});

test("names for tabs", () => {
  assert.equal(address.addressName("ws://localhost:8080/ws?a=1", PAGE), "/ws?a=1");
  assert.equal(address.addressName("ws://other/ws?token=1", PAGE), "other/ws?token=");
});

test("subprotocols", () => {
  assert.deepEqual(address.readProtocols(" a, b.c ,"), { protocols: ["a", "b.c"], problem: "" });
  assert.deepEqual(address.readProtocols(""), { protocols: [], problem: "" });
  for (const text of ["a b", "a,a", "a,(b)", "ü"]) assert.notEqual(address.readProtocols(text).problem, "", text);
});
