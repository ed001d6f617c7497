import assert from "node:assert/strict";
import test from "node:test";

import { Echoes } from "../../static/model/echoes.js";

const bytes = (...values) => Uint8Array.from(values);

function sending(...payloads) {
  const echoes = new Echoes();
  payloads.forEach((data, key) => echoes.send({ key, data, size: data.length, time: key }));
  return echoes;
}

const short = ({ state, of, at, roundTrip }) => [state, of, at, roundTrip];

test("echoes in order, and the time they took", () => {
  const echoes = sending("a", bytes(1, 2), "", bytes());
  assert.deepEqual(short(echoes.receive("a", 10)), ["same", 0, -1, 10]);
  assert.deepEqual(short(echoes.receive(bytes(1, 2), 10)), ["same", 1, -1, 9]);
  assert.deepEqual(short(echoes.receive("", 10)), ["same", 2, -1, 8]);
  assert.deepEqual(short(echoes.receive(bytes(), 10)), ["same", 3, -1, 7]);
  assert.equal(echoes.receive("a", 11).state, "none");
});

test("of equal messages the oldest one is matched", () => {
  const echoes = sending("a", "a", "a");
  assert.deepEqual([1, 2, 3].map(() => echoes.receive("a", 10).of), [0, 1, 2]);
});

test("an altered echo, with the byte from which it differs", () => {
  const echoes = sending("hello world", bytes(1, 2, 3, 4));
  assert.deepEqual(short(echoes.receive("hello wörld", 5)), ["differs", 0, 7, 5]);
  assert.deepEqual(short(echoes.receive(bytes(1, 2, 3, 5), 5)), ["differs", 1, 3, 4]);
  assert.equal(sending("hello").receive("welcome", 1).state, "none");
  assert.equal(sending("ab").receive(bytes(97, 98), 1).state, "none");
});

test("a message that was overtaken is lost after a while, and found if it comes all the same", () => {
  const echoes = sending("a", "b", "c");
  assert.deepEqual(echoes.expire(60_000), []);
  echoes.receive("b", 10);
  assert.deepEqual(echoes.expire(4000), []);
  assert.deepEqual(echoes.expire(6000), [0]);
  assert.deepEqual(echoes.expire(7000), []);
  assert.deepEqual(echoes.receive("a", 7000), { state: "same", of: 0, at: -1, roundTrip: 7000, wasLost: true });
  assert.deepEqual(echoes.loseAll(), [2]);
  assert.deepEqual(echoes.loseAll(), []);
});

test("what waits is bounded in number and in bytes", () => {
  const echoes = new Echoes(3, 100);
  const send = (key, size) => echoes.send({ key, data: String(key), size, time: 0 });
  assert.deepEqual([0, 1, 2].map((key) => send(key, 1)), [[], [], []]);
  assert.deepEqual(send(3, 1), [0]);
  assert.deepEqual(send(4, 1000), [1, 2, 3]);
  assert.equal(echoes.waiting.size, 1);
  assert.equal(echoes.receive("4", 1).state, "same");
  assert.equal(echoes.bytes, 0);
});

test("long binary messages that differ between the hashed bytes are told apart", () => {
  const one = new Uint8Array(100_000);
  const other = one.slice();
  other[1] = 1;
  const echoes = sending(one, other);
  assert.equal(echoes.receive(other, 5).of, 1);
  assert.equal(echoes.receive(one, 5).of, 0);
});
