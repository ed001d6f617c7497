const NAMES = ["sent", "sentBytes", "received", "receivedBytes"];

/** Messages and bytes of the last seconds, in rings of one entry a second. */
export class Rates {
  /** @param {number} [seconds] how many whole seconds are kept beside the one that is not over */
  constructor(seconds = 60) {
    this.seconds = seconds;
    this.size = seconds + 1;
    this.current = -Infinity; // the second that is not over, counted from the epoch
    this.start = Infinity; // the first second with a count
    for (const name of NAMES) this[name] = new Float64Array(this.size);
  }

  /**
   * Rates from what `postMessage` made of them.
   * @param {Rates} state
   * @returns {Rates}
   */
  static from(state) {
    return Object.assign(new Rates(state.seconds), state);
  }

  /**
   * @param {number} time ms
   * @param {number} bytes
   */
  addSent(time, bytes) {
    const place = this.#place(time);
    if (place < 0) return;
    this.sent[place] += 1;
    this.sentBytes[place] += bytes;
  }

  /**
   * @param {number} time ms
   * @param {number} bytes
   */
  addReceived(time, bytes) {
    const place = this.#place(time);
    if (place < 0) return;
    this.received[place] += 1;
    this.receivedBytes[place] += bytes;
  }

  // A clock that was put back by less than the ring counts in the past; further back, nothing is counted.
  #place(time) {
    const second = Math.floor(time / 1000);
    if (second > this.current) this.#advance(second);
    if (second <= this.current - this.size) return -1;
    if (second < this.start) this.start = second;
    return modulo(second, this.size);
  }

  #advance(second) {
    const first = Math.max(this.current + 1, second - this.size + 1);
    for (let passed = first; passed <= second; passed += 1) {
      for (const name of NAMES) this[name][modulo(passed, this.size)] = 0;
    }
    this.current = second;
  }

  /**
   * The whole seconds before `now`, oldest first. The second that is not over is left out.
   * @param {number} now ms
   * @returns {{time: number, sent: number, sentBytes: number, received: number, receivedBytes: number}[]} `time` in ms
   *   is the start of the second; the list begins with the first second that had a message, and has at most 60 entries
   */
  series(now) {
    const end = Math.floor(now / 1000);
    const list = [];
    for (let second = Math.max(end - this.seconds, this.start); second < end; second += 1) list.push(this.#at(second));
    return list;
  }

  #at(second) {
    const isKept = second <= this.current && second > this.current - this.size;
    const entry = { time: second * 1000 };
    for (const name of NAMES) entry[name] = isKept ? this[name][modulo(second, this.size)] : 0;
    return entry;
  }
}

/**
 * The greatest value of each kind in a series.
 * @param {object[]} series what `Rates.series` returns
 * @returns {{sent: number, sentBytes: number, received: number, receivedBytes: number}}
 */
export function peak(series) {
  const most = (name) => series.reduce((greatest, entry) => Math.max(greatest, entry[name]), 0);
  return Object.fromEntries(NAMES.map((name) => [name, most(name)]));
}

const modulo = (value, size) => ((value % size) + size) % size;
