// Values are counted in µs. Up to 2 * HALF µs, a bucket is 1 µs wide. Above, each power of two is divided into HALF
// buckets, so that a bucket is at most 1/64 (1.6 %) of its values wide.
const HALF = 64;
const OCTAVES = 36;
const BUCKETS = HALF * (OCTAVES + 1);

/** Counts of durations in log-linear buckets. The least and the greatest value are exact. */
export class Histogram {
  constructor() {
    this.counts = new Float64Array(BUCKETS);
    this.count = 0;
    this.sum = 0;
    this.min = Infinity;
    this.max = -Infinity;
  }

  /**
   * A histogram from what `postMessage` or JSON made of one.
   * @param {{counts: ArrayLike<number>, count: number, sum: number, min: number, max: number}} state
   * @returns {Histogram}
   */
  static from(state) {
    const histogram = new Histogram();
    histogram.counts.set(state.counts);
    histogram.count = state.count;
    histogram.sum = state.sum;
    if (state.count > 0) Object.assign(histogram, { min: state.min, max: state.max });
    return histogram;
  }

  /** @param {number} ms a duration; a negative one counts as 0 */
  add(ms) {
    const value = Math.max(0, ms);
    this.counts[bucketOf(value * 1000)] += 1;
    this.count += 1;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** The arithmetic mean in ms; NaN without values. */
  get mean() {
    return this.sum / this.count;
  }

  /**
   * The value in ms that `percent` percent of the values do not exceed (nearest rank), as the middle of its bucket.
   * @param {number} percent 0 to 100
   * @returns {number} NaN without values
   */
  percentile(percent) {
    if (this.count === 0) return NaN;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.count));
    if (rank >= this.count) return this.max;
    let seen = 0;
    let index = -1;
    while (seen < rank) seen += this.counts[(index += 1)];
    const middle = (lowerEdge(index) + lowerEdge(index + 1)) / 2000;
    return Math.min(this.max, Math.max(this.min, middle));
  }

  /**
   * The buckets that are not empty, from the least.
   * @returns {{from: number, to: number, count: number}[]} edges in ms
   */
  buckets() {
    const found = [];
    for (let index = 0; index < BUCKETS; index += 1) {
      const count = this.counts[index];
      if (count > 0) found.push({ from: lowerEdge(index) / 1000, to: lowerEdge(index + 1) / 1000, count });
    }
    return found;
  }
}

function bucketOf(us) {
  if (us < 2 * HALF) return Math.floor(us);
  const octave = Math.floor(Math.log2(us)) - Math.log2(HALF);
  const index = octave * HALF + Math.floor(us / 2 ** octave);
  return Math.min(BUCKETS - 1, index);
}

function lowerEdge(index) {
  if (index < 2 * HALF) return index;
  const octave = Math.floor(index / HALF) - 1;
  return (index - octave * HALF) * 2 ** octave;
}
