const SMALLEST = 1024;

/** Times of numbered messages that have not come back. Each operation costs the same, however many there are. */
export class Outstanding {
  #times = new Float64Array(SMALLEST).fill(NaN); // of the numbers from #base on; NaN: nothing outstanding
  #base = 0;
  #oldest = 0;
  #edge = 0; // numbers below are late

  constructor() {
    /** Messages that have not come back. */
    this.size = 0;
    /** Those of them that are late. */
    this.late = 0;
    /** The number that the next message gets. */
    this.end = 0;
  }

  /**
   * @param {number} time ms
   * @returns {number} the number of the message
   */
  add(time) {
    if (this.end - this.#base === this.#times.length) this.#makeRoom();
    this.#times[this.end - this.#base] = time;
    this.size += 1;
    this.end += 1;
    return this.end - 1;
  }

  // The oldest ones that have come back give up their place; if those are few, the array is doubled.
  #makeRoom() {
    const kept = this.#times.subarray(this.#oldest - this.#base);
    const isCrowded = kept.length * 2 > this.#times.length;
    const times = new Float64Array(isCrowded ? this.#times.length * 2 : this.#times.length).fill(NaN);
    times.set(kept);
    this.#times = times;
    this.#base = this.#oldest;
  }

  /**
   * @param {number} number
   * @returns {number} its time; NaN if it is not outstanding
   */
  get(number) {
    return number >= this.#oldest && number < this.end ? this.#times[number - this.#base] : NaN;
  }

  /** @returns {number} the least number that is outstanding; -1 if none is */
  get oldest() {
    return this.size > 0 ? this.#oldest : -1;
  }

  /**
   * Messages that are older are late from now on.
   * @param {number} time ms
   */
  expire(time) {
    if (this.#edge < this.#oldest) this.#edge = this.#oldest;
    for (; this.#edge < this.end; this.#edge += 1) {
      const began = this.#times[this.#edge - this.#base];
      if (began >= time) return;
      if (began < time) this.late += 1;
    }
  }

  /**
   * @param {number} number
   * @returns {number} its time; NaN if it was not outstanding
   */
  take(number) {
    const time = this.get(number);
    if (Number.isNaN(time)) return NaN;
    this.#times[number - this.#base] = NaN;
    this.size -= 1;
    if (number < this.#edge) this.late -= 1;
    while (this.#oldest < this.end && Number.isNaN(this.#times[this.#oldest - this.#base])) this.#oldest += 1;
    return time;
  }

  /** Give up all. */
  clear() {
    this.#times.fill(NaN);
    this.#base = this.#oldest = this.#edge = this.end;
    this.size = this.late = 0;
  }
}
