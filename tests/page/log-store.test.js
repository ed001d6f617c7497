import assert from "node:assert/strict";
import test from "node:test";

import { LogStore } from "../../static/model/log-store.js";

const row = (payload, more = {}) => ({ time: 1.5, direction: "sent", kind: "text", size: 3, payload, ...more });

test("a row comes back as it was appended", () => {
  const store = new LogStore();
  const rows = [
    row("abc", { roundTrip: 0.84, echo: { state: "differs", at: 17, of: 3 } }),
    row(new Uint8Array([1, 2]), { direction: "received", kind: "binary", echo: null, roundTrip: NaN }),
    row("", { direction: "event", event: { tone: "error", text: "Closed" } }),
    row(new Blob(["abc"]), { kind: "file", size: 5 * 2 ** 32 }),
  ];
  rows.forEach((each, id) => assert.equal(store.append(each), id));
  rows.forEach((each, id) => {
    assert.deepEqual(store.get(id), { id, roundTrip: NaN, echo: null, event: null, ...each });
  });
  for (const id of [-1, 4, NaN, 1.5, null]) assert.equal(store.get(id), null);
});

test("the oldest tenth is dropped at the limit of rows, and ids stay", () => {
  const store = new LogStore({ maxRows: 2000 });
  for (let id = 0; id < 2001; id += 1) assert.equal(store.append(row(`${id}`)), id);
  assert.deepEqual([store.firstId, store.endId, store.length, store.dropped], [200, 2001, 1801, 200]);
  assert.equal(store.get(199), null);
  for (const id of [200, 1023, 1024, 2000]) assert.equal(store.get(id).payload, `${id}`);
});

test("rows are dropped until the payloads fit, but never the last one", () => {
  const store = new LogStore({ maxBytes: 1000, maxBlobBytes: 100 });
  for (let id = 0; id < 10; id += 1) store.append(row("x".repeat(100)));
  assert.equal(store.dropped, 0);
  store.append(row(new Uint8Array(500)));
  assert.deepEqual([store.length, store.dropped], [6, 5]);
  store.append(row("y".repeat(5000)));
  assert.equal(store.length, 1);
  store.append(row(new Blob(["z".repeat(101)])));
  assert.deepEqual([store.length, store.get(store.firstId).payload.size], [1, 101]);
});

test("an echo is noted at the row that was sent, and ignored once that row is gone", () => {
  const store = new LogStore();
  const sent = store.append(row("a", { echo: { state: "waiting" } }));
  store.append(row("a", { direction: "received", roundTrip: 2, echo: { state: "same", of: sent } }));
  assert.equal(store.get(sent).echo.state, "same");
  assert.equal(store.get(sent).roundTrip, 2);
  store.clear();
  store.setEcho(sent, { state: "lost" });
  store.append(row("b", { direction: "received", roundTrip: 3, echo: { state: "same", of: sent } }));
  assert.equal(store.get(sent), null);
});

test("clearing can be undone until a row is appended", () => {
  const store = new LogStore({ maxRows: 100 });
  for (let id = 0; id < 150; id += 1) store.append(row(`${id}`));
  const before = [store.firstId, store.endId, store.dropped];
  const token = store.clear();
  assert.deepEqual([store.length, store.firstId, store.dropped], [0, 150, 0]);
  assert.ok(store.restore(token));
  assert.deepEqual([store.firstId, store.endId, store.dropped], before);
  assert.equal(store.get(149).payload, "149");
  const second = store.clear();
  assert.equal(store.append(row("new")), 150);
  assert.ok(!store.restore(second));
  assert.equal(store.get(150).payload, "new");
});
