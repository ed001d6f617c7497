const MOST_AT_ONCE = 500;
const MOST_BUFFERED = 16 * 1024 * 1024;
const LOOK = 100; // ms between looks at what is in flight, because late messages give up their place
const LONGEST_RUN = 3600;
const MOST_MESSAGES = 10_000_000;

/** When a load sends next. All times in ms of one clock. */
export class Pacing {
  /**
   * @param {{mode: "interval" | "inflight" | "burst", interval: number, inFlight: number, count: number,
   *   seconds: number}} plan `interval` in ms; a run ends after `count` messages or `seconds`, whichever comes first
   * @param {number} start
   */
  constructor(plan, start) {
    this.mode = plan.mode;
    this.start = start;
    this.interval = within(plan.interval, 0.05, 3_600_000, 1000);
    this.inFlight = Math.floor(within(plan.inFlight, 1, 10_000, 1));
    this.count = Math.floor(within(plan.count, 1, MOST_MESSAGES, plan.mode === "burst" ? 1000 : MOST_MESSAGES));
    this.end = start + 1000 * within(plan.seconds, 0.05, LONGEST_RUN, plan.mode === "burst" ? LONGEST_RUN : 10);
    this.number = 0; // of the next message
  }

  /** How many messages the plan wants in all by `now`, apart from those in flight. */
  wanted(now) {
    if (this.mode !== "interval") return this.count;
    const until = Math.min(now, this.end - this.interval / 2);
    return Math.min(this.count, Math.max(0, Math.floor((until - this.start) / this.interval) + 1));
  }

  /**
   * What to do now.
   * @param {{now: number, outstanding: number, buffered: number}} situation `outstanding` messages have not come back;
   *   `buffered` bytes wait in the browser
   * @returns {{send: number, wait: number, isDone: boolean}} send so many at once, then ask again after `wait` ms or when a message
   *   has come back
   */
  next({ now, outstanding, buffered }) {
    if (this.number >= this.count || now >= this.end) return { send: 0, wait: Infinity, isDone: true };
    if (buffered > MOST_BUFFERED) return { send: 0, wait: 5, isDone: false };
    const due = Math.min(MOST_AT_ONCE, this.#due(now, outstanding));
    return { send: due, wait: this.#wait(now, outstanding, due), isDone: false };
  }

  #due(now, outstanding) {
    const left = this.count - this.number;
    if (this.mode === "inflight") return Math.max(0, Math.min(left, this.inFlight - outstanding));
    return this.wanted(now) - this.number;
  }

  #wait(now, outstanding, due) {
    if (this.number + due >= this.count) return 0;
    if (this.mode === "inflight") return outstanding + due >= this.inFlight ? Math.min(LOOK, this.end - now) : 0;
    if (this.mode === "burst") return 0;
    return Math.max(0, Math.min(this.end, this.intended(this.number + due)) - now);
  }

  /**
   * The moment at which a message was meant to be sent. Open loop: the round trip counts from it, so that a stall shows
   * in all messages that it delayed.
   * @param {number} number of the message, from 0
   * @returns {number} NaN in the modes that have no schedule
   */
  intended(number) {
    return this.mode === "interval" ? this.start + number * this.interval : NaN;
  }

  /**
   * Leave out the messages whose moments have passed, because there was no connection.
   * @param {number} now
   * @returns {number} how many were left out
   */
  skip(now) {
    if (this.mode !== "interval") return 0;
    const skipped = Math.max(0, this.wanted(now) - this.number);
    this.number += skipped;
    return skipped;
  }

  /**
   * How much of the plan has passed.
   * @param {number} now
   * @returns {number} 0 to 1
   */
  progress(now) {
    return Math.min(1, Math.max(this.number / this.count, (now - this.start) / (this.end - this.start)));
  }
}

function within(value, least, most, otherwise) {
  const number = Number(value);
  if (value === undefined || value === null || Number.isNaN(number)) return otherwise;
  return Math.min(most, Math.max(least, number));
}

/**
 * The pause before a reconnect: 1 s, doubled for each try up to 30 s, of which up to a fifth is taken away at random,
 * so that many pages do not come back at the same moment.
 * @param {number} attempt from 1
 * @param {number} random from 0 to 1
 * @returns {number} ms
 */
export function backOff(attempt, random) {
  const full = Math.min(30_000, 1000 * 2 ** Math.min(10, attempt - 1));
  return full * (1 - 0.2 * random);
}
