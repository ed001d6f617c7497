import assert from "node:assert/strict";
import test from "node:test";

import { utf8Of, utf8Size } from "../../static/model/utf8.js";

const encoder = new TextEncoder();

test("the size equals that of the encoded text", () => {
  const lone = ["\ud800", "\udc00", "\ud800a", "\udc00\ud800", "\ud800\ud83d\ude00"];
  const texts = ["", "a", "é", "€", "😀", "a😀é€", ...lone];
  for (const text of texts) assert.equal(utf8Size(text), encoder.encode(text).length, JSON.stringify(text));
});

test("random code units, lone surrogates among them", () => {
  for (let round = 0; round < 500; round += 1) {
    const units = Array.from({ length: 20 }, () => Math.floor(Math.random() * 0x10000));
    if (round % 2) units.fill(0xd83d, 3, 6).fill(0xde00, 5, 8);
    const text = String.fromCharCode(...units);
    assert.equal(utf8Size(text), encoder.encode(text).length, JSON.stringify(text));
  }
});

test("the size of a beginning", () => {
  assert.equal(utf8Size("é€a", 2), 5);
});

test("UTF-8 is judged strictly, and a byte order mark is kept", () => {
  assert.equal(utf8Of(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa");
  for (const invalid of [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    assert.equal(utf8Of(Uint8Array.of(...invalid)), null);
  }
});
