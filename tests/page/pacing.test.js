import assert from "node:assert/strict";
import test from "node:test";

import { backOff, Pacing } from "../../static/model/pacing.js";

// Run a load on a clock of its own: messages come back after `trip` ms; timers are `late` ms late.
function run(plan, { trip = 1, late = 0, buffered = () => 0 } = {}) {
  const pacing = new Pacing(plan, 1000);
  const sent = [];
  const flying = [];
  let now = 1000;
  for (let step = 0; step < 100_000; step += 1) {
    while (flying.length && flying[0] <= now) flying.shift();
    const { send, wait, isDone } = pacing.next({ now, outstanding: flying.length, buffered: buffered(now) });
    if (isDone) return { sent, now, pacing };
    for (let count = 0; count < send; count += 1) {
      sent.push({ at: now, meant: pacing.intended(pacing.number) });
      pacing.number += 1;
      flying.push(now + trip);
    }
    const next = Math.min(now + wait + (wait > 0 ? late : 0), flying[0] ?? Infinity);
    now = next > now ? next : now + 0.01;
  }
  throw new Error("the load does not end");
}

test("an interval: one message at each moment, none early", () => {
  const { sent, now } = run({ mode: "interval", interval: 10, seconds: 1 });
  assert.equal(sent.length, 100);
  sent.forEach(({ at, meant }, index) => {
    assert.equal(meant, 1000 + index * 10);
    assert.ok(at >= meant && at < meant + 1.1);
  });
  assert.ok(now >= 2000);
});

test("an interval: what a stall delayed is sent at once, and counts from the intended moment", () => {
  const { sent } = run({ mode: "interval", interval: 1, seconds: 1 }, { trip: 1e9, late: 300 });
  assert.ok(sent.length > 600);
  assert.ok(sent.some(({ at, meant }) => at - meant > 290));
});

test("an interval ends after its count", () => {
  assert.equal(run({ mode: "interval", interval: 5, count: 7, seconds: 60 }).sent.length, 7);
});

test("in flight: never more than wanted, until the time is over", () => {
  const { sent, now } = run({ mode: "inflight", inFlight: 4, seconds: 0.1 }, { trip: 10 });
  assert.equal(sent.length, 40);
  assert.ok(now >= 1100 && now < 1101);
});

test("in flight waits for replies that never come, and ends", () => {
  assert.equal(run({ mode: "inflight", inFlight: 4, seconds: 2 }, { trip: Infinity }).sent.length, 4);
});

test("a burst is sent in slices", () => {
  const pacing = new Pacing({ mode: "burst", count: 1200 }, 0);
  const sizes = [];
  for (;;) {
    const { send, isDone } = pacing.next({ now: 1, outstanding: 0, buffered: 0 });
    if (isDone) break;
    sizes.push(send);
    pacing.number += send;
  }
  assert.deepEqual(sizes, [500, 500, 200]);
});

test("nothing is sent while much is buffered", () => {
  const { sent } = run({ mode: "burst", count: 10 }, { buffered: (now) => (now < 1050 ? 17 * 1024 * 1024 : 0) });
  assert.ok(sent.every(({ at }) => at >= 1050));
});

test("impossible plans are bounded", () => {
  const pacing = new Pacing({ mode: "interval", interval: 0, seconds: 1e9, count: -5 }, 0);
  assert.deepEqual([pacing.interval, pacing.end, pacing.count], [0.05, 3_600_000, 1]);
  assert.equal(new Pacing({ mode: "inflight", inFlight: "x", seconds: null }, 0).inFlight, 1);
});

test("progress", () => {
  const pacing = new Pacing({ mode: "burst", count: 10 }, 0);
  pacing.number = 5;
  assert.equal(pacing.progress(0), 0.5);
  assert.equal(new Pacing({ mode: "inflight", inFlight: 1, seconds: 10 }, 0).progress(2500), 0.25);
});

test("the back-off doubles from 1 s to 30 s, less a fifth at most", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 2000].map((attempt) => backOff(attempt, 0)), [
    1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
  ]);
  assert.equal(backOff(1, 1), 800);
  assert.equal(backOff(9, 0.5), 27_000);
});
