import assert from "node:assert/strict";
import test from "node:test";

import { Batch } from "../../static/model/batch.js";

const row = (key, direction = "sent", size = 1) => ({ key, direction, size, time: key, payload: "" });

function filled(count, batch = new Batch(10)) {
  for (let key = 0; key < count; key += 1) batch.add(row(key));
  return batch;
}

test("few rows are handed over as they are", () => {
  const { rows, updates } = filled(10).take();
  assert.deepEqual(rows.map(({ key }) => key), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(updates, []);
});

test("many rows: the first, a gap with exact counts, the last", () => {
  for (const count of [11, 12, 19, 20, 21, 1000]) {
    const { rows } = filled(count).take();
    assert.equal(rows.length, 11);
    assert.deepEqual(rows.slice(0, 5).map(({ key }) => key), [0, 1, 2, 3, 4]);
    assert.equal(rows[5].direction, "gap");
    assert.deepEqual([rows[5].count, rows[5].bytes, rows[5].time], [count - 10, count - 10, 5]);
    assert.deepEqual(rows.slice(6).map(({ key }) => key), [5, 4, 3, 2, 1].map((back) => count - back));
  }
});

test("a batch is empty after it was taken", () => {
  const batch = filled(30);
  batch.take();
  assert.equal(batch.isEmpty, true);
  assert.equal(filled(3, batch).take().rows.length, 3);
});

test("the bytes of a batch are bounded, but one message of any size passes", () => {
  const batch = new Batch(10, 100);
  for (let key = 0; key < 6; key += 1) batch.add(row(key, "received", 60));
  const { rows } = batch.take();
  assert.deepEqual(rows.map(({ key, count }) => key ?? count), [0, 4, 5]);
  batch.add(row(9, "received", 1000));
  assert.equal(batch.take().rows.length, 1);
});

test("an echo is set in a row that waits, and reported for one that was handed over", () => {
  const batch = new Batch(10);
  const early = row(1);
  batch.add(early);
  batch.echo(1, { state: "same" });
  assert.equal(early.echo.state, "same");
  batch.add(row(2));
  assert.deepEqual(batch.take().updates, []);
  batch.echo(2, { state: "same" });
  batch.echo(2, { state: "lost" });
  assert.equal(batch.isEmpty, false);
  assert.deepEqual(batch.take(), { rows: [], updates: [{ key: 2, echo: { state: "same" } }] });
});

test("echoes of omitted rows are not reported; all others can be lost", () => {
  const batch = filled(1000);
  batch.take();
  for (let key = 0; key < 1000; key += 2) batch.echo(key, { state: "same" });
  batch.loseAll();
  const { updates } = batch.take();
  assert.equal(updates.length, 10);
  assert.equal(updates.filter(({ echo }) => echo.state === "lost").length, 5);
});
