import { Histogram } from "../model/histogram.js";
import { Pacing } from "../model/pacing.js";
import { outcome, Returns } from "../model/returns.js";
import { Series } from "../model/series.js";
import { Timeline } from "../model/timeline.js";

const LINGER = 250; // ms for duplicates of the last messages
const PATIENCE = 5000; // ms without a message that comes back
const PATIENCE_STOPPED = 1000;
const PATIENCE_FIRST = 30_000; // ms for the first message that comes back
const PATIENCE_LATE = 1000;

/** Round trips that were measured, as a histogram and over time. */
export class Trips {
  constructor() {
    this.histogram = new Histogram();
    this.timeline = new Timeline();
  }

  /**
   * @param {number} time ms
   * @param {number} roundTrip ms; NaN is left out
   */
  add(time, roundTrip) {
    if (Number.isNaN(roundTrip)) return;
    this.histogram.add(roundTrip);
    this.timeline.add(time, roundTrip);
  }
}

/** One run of a load: when to send, what came back, and when it is over. */
export class Load {
  /**
   * @param {object} plan `{mode, interval, inFlight, count, seconds, payload}`, see `Pacing` and `Series`
   * @param {number} run number of the run, not 0
   * @param {number} now ms
   */
  constructor(plan, run, now) {
    this.run = run;
    this.plan = plan;
    this.pacing = new Pacing(plan, now);
    this.series = new Series(plan.payload, run);
    this.returns = new Returns(this.series);
    this.trips = new Trips();
    this.marks = [];
    this.skipped = 0;
    this.started = now;
    this.lastNews = now;
    this.phase = "sending"; // then "waiting" for what has not come back, then "over"
    this.isSuspended = false;
    this.isStopped = false;
    this.isReported = false;
    this.toldLost = 0;
  }

  /** Whether nothing more is sent or waited for. */
  get isOver() {
    return this.phase === "over";
  }

  /** @returns {number} messages lost since this was called last */
  takeLost() {
    const lost = this.returns.counts.lost - this.toldLost;
    this.toldLost += lost;
    return lost;
  }

  /**
   * What to do now.
   * @param {number} now ms
   * @param {number} buffered bytes that wait in the browser
   * @returns {{send: number, wait: number}} `wait` in ms
   */
  next(now, buffered) {
    if (this.isSuspended) return { send: 0, wait: Infinity };
    if (this.phase === "sending") {
      const outstanding = this.returns.inFlight(now, this.#latest());
      const { send, wait, isDone } = this.pacing.next({ now, outstanding, buffered });
      if (!isDone) return { send, wait };
      this.#finishSending(now);
    }
    if (this.phase === "waiting" && now >= this.#waitUntil()) this.#end(now);
    return { send: 0, wait: this.isOver ? Infinity : this.#waitUntil() - now };
  }

  // When a message is late: it gives up its place among those in flight. The wait for a late message delays those that
  // come back behind it, so a measure that a few long round trips could raise would grow with each wait.
  #latest() {
    const { histogram } = this.trips;
    return histogram.count === 0 ? PATIENCE_FIRST : Math.max(PATIENCE_LATE, 4 * histogram.percentile(50));
  }

  #finishSending(now) {
    this.phase = "waiting";
    this.lastNews = now;
    if (!this.isStopped) this.skipped += this.pacing.skip(this.pacing.end);
  }

  #waitUntil() {
    if (this.returns.outstanding === 0) return this.lastNews + LINGER;
    const patience = this.isStopped ? PATIENCE_STOPPED : PATIENCE;
    return this.lastNews + Math.max(patience, 2 * this.trips.histogram.max);
  }

  #end(now) {
    this.phase = "over";
    this.ended = now;
    this.returns.loseAll();
  }

  /**
   * The next message; the caller sends it at once.
   * @param {number} now ms
   * @returns {{number: number, data: string | Uint8Array}}
   */
  send(now) {
    const meant = this.pacing.intended(this.pacing.number);
    this.pacing.number += 1;
    return this.returns.send(Number.isNaN(meant) ? now : meant);
  }

  /**
   * @param {string | Uint8Array} data a message that was received
   * @param {number} time ms
   * @returns {object | null} see `Returns.receive`
   */
  receive(data, time) {
    const found = this.returns.receive(data, time);
    if (!found) return null;
    this.lastNews = time;
    this.trips.add(time, found.roundTrip);
    return found;
  }

  /** Send nothing more, and wait shortly for what has not come back. */
  stop(now) {
    this.isStopped = true;
    if (this.isSuspended) this.#end(now);
    else if (this.phase === "sending") this.#finishSending(now);
  }

  /**
   * The connection has ended: what has not come back is lost.
   * @param {number} now ms
   * @param {boolean} willReconnect the load goes on with the next connection
   */
  interrupt(now, willReconnect) {
    this.returns.loseAll();
    this.marks.push({ time: now, text: "closed" });
    if (willReconnect && this.phase === "sending") this.isSuspended = true;
    else this.#end(now);
  }

  /** The connection is open again. */
  resume(now) {
    this.isSuspended = false;
    this.marks.push({ time: now, text: "reconnected" });
    this.skipped += this.pacing.skip(now);
    this.lastNews = now;
  }

  /**
   * What is known now. `points` are only those since the last snapshot.
   * @param {number} now ms
   * @returns {object}
   */
  snapshot(now) {
    const running = !this.isOver;
    const { returned: received, ...counts } = this.returns.counts;
    const totals = { ...counts, received, skipped: this.skipped };
    return {
      run: this.run,
      mode: this.plan.mode,
      size: this.series.size,
      running,
      ...totals,
      elapsed: (this.ended ?? now) - this.started,
      started: this.started,
      progress: running ? this.pacing.progress(now) : 1,
      histogram: this.trips.histogram,
      points: this.trips.timeline.take(running ? now : Infinity),
      marks: this.marks.slice(-100),
      sentence: running ? "" : outcome({ ...totals, returned: received }),
    };
  }
}
