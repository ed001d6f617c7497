import assert from "node:assert/strict";
import test from "node:test";

import { Load } from "../../static/line/load.js";

// A load on a clock of its own, against a peer that gives `replies` (data, number) → list of data, after `trip` ms.
class Bench {
  constructor(plan, { trip = 2, replies = (data) => [data] } = {}) {
    Object.assign(this, { trip, replies, now: 1000, flying: [] });
    this.load = new Load({ payload: { size: 32, filling: "random", seed: 1 }, ...plan }, 5, this.now);
  }

  turn() {
    while (this.flying[0]?.at <= this.now) this.load.receive(this.flying.shift().data, this.now);
    const { send, wait } = this.load.next(this.now, 0);
    for (let count = 0; count < send; count += 1) {
      const { number, data } = this.load.send(this.now);
      for (const reply of this.replies(data, number)) this.flying.push({ at: this.now + this.trip, data: reply });
    }
    this.now = Math.max(this.now + 0.01, Math.min(this.now + wait, this.flying[0]?.at ?? Infinity));
  }

  run(until = () => this.load.isOver) {
    for (let turns = 0; !until(); turns += 1) {
      assert.ok(turns < 1_000_000, "the load does not end");
      this.turn();
    }
    return this.load.snapshot(this.now);
  }
}

test("a burst that comes back whole", () => {
  const found = new Bench({ mode: "burst", count: 3000 }).run();
  assert.equal(found.running, false);
  assert.match(found.sentence, /^All 3\D?000 came back, in order, unchanged\.$/);
  assert.deepEqual([found.sent, found.received, found.lost, found.skipped], [3000, 3000, 0, 0]);
  assert.equal(found.histogram.count, 3000);
  assert.ok(found.elapsed < 3000);
});

test("losses end the run after 5 s of silence, and are counted", () => {
  const replies = (data, number) => (number % 10 === 3 ? [] : [data]);
  const bench = new Bench({ mode: "burst", count: 100 }, { replies });
  const found = bench.run();
  assert.deepEqual([found.sent, found.received, found.lost], [100, 90, 10]);
  assert.ok(found.elapsed >= 5000 && found.elapsed < 5100);
  assert.deepEqual([bench.load.takeLost(), bench.load.takeLost()], [10, 0]);
});

test("duplicates of the last message are still counted", () => {
  const found = new Bench({ mode: "burst", count: 10 }, { replies: (data) => [data, data] }).run();
  assert.deepEqual([found.received, found.duplicated], [10, 10]);
});

test("in flight goes on although messages are lost", () => {
  const replies = (data, number) => (number % 2 ? [data] : []);
  const found = new Bench({ mode: "inflight", inFlight: 4, seconds: 10 }, { replies }).run();
  assert.ok(found.sent > 20, String(found.sent));
  assert.equal(found.sent, found.received + found.lost);
});

test("an echo that waits for the next message does not make the waits for lost ones grow", () => {
  let held = null;
  const replies = (data, number) => {
    if (number % 10 === 8) return [];
    if (number % 10 === 3) {
      held = data;
      return [];
    }
    return number % 10 === 4 ? [data, held] : [data];
  };
  for (const inFlight of [1, 2, 5, 20]) {
    const found = new Bench({ mode: "inflight", inFlight, count: 400, seconds: 3600 }, { replies }).run();
    assert.deepEqual([found.sent, found.received, found.lost, found.reordered], [400, 360, 40, 40]);
    // Each wait is for one message at least, and 80 messages do not come back before another one is sent.
    assert.ok(found.elapsed < 90_000 / inFlight + 7000, `${inFlight} in flight: ${found.elapsed} ms`);
  }
});

test("an interval counts from the intended moment, and what was due but never sent is skipped", () => {
  const bench = new Bench({ mode: "interval", interval: 10, seconds: 1 });
  bench.run(() => bench.load.returns.counts.sent === 50);
  bench.now += 200;
  const found = bench.run();
  assert.deepEqual([found.sent, found.skipped], [100, 0]);
  assert.ok(found.histogram.max >= 200);
  const stalled = new Bench({ mode: "interval", interval: 10, seconds: 1 });
  stalled.run(() => stalled.load.returns.counts.sent === 50);
  stalled.now += 2000;
  const short = stalled.run();
  assert.deepEqual([short.sent, short.skipped], [50, 50]);
  assert.match(short.sentence, /50 were due but not sent/);
});

test("Stop ends the sending, and waits for what is on its way", () => {
  const bench = new Bench({ mode: "interval", interval: 10, seconds: 60 }, { trip: 100 });
  bench.run(() => bench.load.returns.counts.sent === 30);
  bench.load.stop(bench.now);
  const found = bench.run();
  assert.deepEqual([found.sent, found.received, found.lost, found.skipped], [30, 30, 0, 0]);
});

test("an end of the connection loses what is on its way", () => {
  const bench = new Bench({ mode: "interval", interval: 10, seconds: 60 }, { trip: 95 });
  bench.run(() => bench.load.returns.counts.sent === 30);
  bench.load.interrupt(bench.now, false);
  const found = bench.load.snapshot(bench.now);
  assert.equal(found.running, false);
  assert.equal(found.lost, found.sent - found.received);
  assert.deepEqual(found.marks.map(({ text }) => text), ["closed"]);
});

test("a reconnect goes on, and skips what was due meanwhile", () => {
  const bench = new Bench({ mode: "interval", interval: 10, seconds: 2 }, { trip: 5 });
  bench.run(() => bench.load.returns.counts.sent === 30);
  bench.load.interrupt(bench.now, true);
  bench.flying = [];
  assert.deepEqual(bench.load.next(bench.now, 0), { send: 0, wait: Infinity });
  bench.now += 500;
  bench.load.resume(bench.now);
  const found = bench.run();
  assert.equal(found.sent + found.skipped, 200);
  assert.ok(found.skipped >= 49 && found.skipped <= 51);
  assert.deepEqual(found.marks.map(({ text }) => text), ["closed", "reconnected"]);
});

test("Stop while there is no connection ends the run at once", () => {
  const bench = new Bench({ mode: "burst", count: 10_000 });
  bench.turn();
  bench.load.interrupt(bench.now, true);
  assert.equal(bench.load.isOver, false);
  bench.load.stop(bench.now);
  assert.equal(bench.load.isOver, true);
});

test("each point is handed over once, and time passes", () => {
  const bench = new Bench({ mode: "interval", interval: 10, seconds: 1 });
  let points = 0;
  while (!bench.load.isOver) {
    bench.turn();
    const found = bench.load.snapshot(bench.now);
    points += found.points.length;
    assert.ok(found.progress >= 0 && found.progress <= 1);
  }
  assert.ok(points >= 9 && points <= 12, String(points));
});
