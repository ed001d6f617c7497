import assert from "node:assert/strict";
import test from "node:test";

import { pack, unpack } from "../../static/model/packed.js";

const echo = (state, at, of = null) => ({ state, at, of });
const message = (more) => ({
  direction: "received", time: 1.5, size: 0, key: null, roundTrip: NaN, kind: "text", payload: "",
  echo: echo("none", -1), ...more,
});

// As `postMessage` hands it over.
const handedOver = (rows, updates = []) => {
  const { packed, transfer } = pack(rows, updates);
  return unpack(structuredClone(packed, { transfer }));
};

test("rows come back as they were, whatever stands between them", () => {
  const rows = [
    message({ direction: "sent", key: 3e8 + 7, size: 5, payload: "hello", echo: echo("waiting", NaN) }),
    message({ kind: "binary", size: 3, payload: Uint8Array.of(1, 2, 3), roundTrip: 0.25, echo: echo("same", -1, 9) }),
    message({ kind: "empty" }),
    message({ kind: "empty", payload: new Uint8Array(0) }),
    { direction: "gap", time: 2, bytes: 12, count: 4 },
    message({ direction: "sent", key: 0, kind: "file", size: 1, payload: Uint8Array.of(9), echo: echo("lost", NaN) }),
    message({ kind: "json", size: 2, payload: "{}", echo: echo("differs", 1, 0) }),
    message({ size: 1, kind: "binary", payload: Uint8Array.of(255) }),
  ];
  assert.deepEqual(handedOver(rows).rows, rows);
});

test("a blob stays a blob, and bytes that are part of a longer buffer are only these", () => {
  const blob = new Blob(["long"]);
  const part = Uint8Array.of(1, 2, 3, 4).subarray(1, 3);
  const rows = [message({ payload: blob, size: 4 }), message({ kind: "binary", payload: part, size: 2 })];
  const [first, second] = handedOver(rows).rows;
  assert.ok(first.payload instanceof Blob);
  assert.deepEqual([...second.payload], [2, 3]);
  assert.equal(second.payload.buffer.byteLength, 2);
});

test("what has changed in rows that were handed over before", () => {
  const same = { key: 1e8, echo: { state: "same", at: -1 } };
  const { rows, updates } = handedOver([], [same, { key: 2, echo: { state: "lost" } }]);
  assert.deepEqual(rows, []);
  assert.deepEqual(updates, [same, { key: 2, echo: { state: "lost", at: NaN } }]);
});
