const MOST_SAMPLES = 4096;

/** Round trips over time: for each short stretch the least, the median and the greatest. */
export class Timeline {
  /** @param {number} [width] of a stretch, in ms */
  constructor(width = 100) {
    this.width = width;
    this.finished = [];
    this.#begin(-Infinity);
  }

  #begin(stretch) {
    this.stretch = stretch;
    this.samples = [];
    this.seen = 0;
    this.low = Infinity;
    this.high = -Infinity;
  }

  /**
   * @param {number} time ms
   * @param {number} value ms
   */
  add(time, value) {
    const stretch = Math.floor(time / this.width);
    if (stretch > this.stretch) {
      this.#finish();
      this.#begin(stretch);
    }
    if (value < this.low) this.low = value;
    if (value > this.high) this.high = value;
    // Beyond the limit the median is that of a sample: each place in turn is overwritten.
    if (this.samples.length < MOST_SAMPLES) this.samples.push(value);
    else this.samples[this.seen % MOST_SAMPLES] = value;
    this.seen += 1;
  }

  #finish() {
    if (this.seen === 0) return;
    const sorted = Float64Array.from(this.samples).sort();
    const median = sorted[Math.floor((sorted.length - 1) / 2)];
    this.finished.push({ time: this.stretch * this.width, low: this.low, median, high: this.high });
  }

  /**
   * Take the stretches that are over.
   * @param {number} now ms; Infinity takes the last one as well
   * @returns {{time: number, low: number, median: number, high: number}[]}
   */
  take(now) {
    if (Math.floor(now / this.width) > this.stretch) {
      this.#finish();
      this.#begin(this.stretch);
    }
    const taken = this.finished;
    this.finished = [];
    return taken;
  }
}
