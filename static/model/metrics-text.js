// Prometheus's text format (and OpenMetrics), as far as a page needs it. Lines that are neither are left out.

const MOST_CHARACTERS = 4 << 20;
const MOST_SAMPLES = 20_000;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +([-+]?(?:Inf|NaN|[\d.]+(?:e[-+]?\d+)?))(?: .*)?$/i;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/y;
const ESCAPES = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/** @typedef {{name: string, labels: Map<string, string>, value: number}} Sample */

/**
 * @param {string} text
 * @returns {Map<string, Sample[]>} the samples of each name, in their order
 */
export function parseMetrics(text) {
  const samples = new Map();
  let count = 0;
  for (const line of text.slice(0, MOST_CHARACTERS).split("\n")) {
    if (line.startsWith("#") || line.length > 10_000) continue;
    const match = SAMPLE.exec(line.replace(/ # \{.*$/, "").trimEnd());
    const labels = match && readLabels(match[2] ?? "");
    if (!labels) continue;
    if (++count > MOST_SAMPLES) break;
    const value = Number(match[3].replace(/inf$/i, "Infinity"));
    if (!samples.has(match[1])) samples.set(match[1], []);
    samples.get(match[1]).push({ name: match[1], labels, value });
  }
  return samples;
}

function readLabels(text) {
  const labels = new Map();
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (!match) return null;
    labels.set(match[1], match[2].replace(/\\[n"\\]/g, (escape) => ESCAPES[escape]));
  }
  return labels;
}

/**
 * @param {Map<string, Sample[]>} samples
 * @param {string} name
 * @param {Object<string, string>} labels that a sample must have
 * @returns {number} the sum of the samples; NaN if there are none
 */
export function total(samples, name, labels = {}) {
  const found = having(samples, name, labels);
  return found.length ? found.reduce((sum, { value }) => sum + value, 0) : NaN;
}

/**
 * @param {Map<string, Sample[]>} samples
 * @param {string} name
 * @param {string} label
 * @param {Object<string, string>} wanted labels that a sample must have
 * @returns {Map<string, number>} the sum for each value of the label
 */
export function totals(samples, name, label, wanted = {}) {
  const sums = new Map();
  for (const { labels, value } of having(samples, name, wanted)) {
    const key = labels.get(label);
    if (key !== undefined) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

function having(samples, name, wanted) {
  const pairs = Object.entries(wanted);
  return (samples.get(name) ?? []).filter(({ labels }) => pairs.every(([key, value]) => labels.get(key) === value));
}

/**
 * @param {number} before
 * @param {number} after a counter that has fallen has started anew
 * @returns {number} how much was counted in between; NaN if one of them is
 */
export function increase(before, after) {
  return after < before ? after : after - before;
}

/**
 * The increase of a counter, for each value of a label.
 * @param {Map<string, number>} before
 * @param {Map<string, number>} after
 * @returns {Map<string, number>} without those that have not grown
 */
export function increases(before, after) {
  const grown = [...after].map(([key, value]) => [key, increase(before.get(key) ?? 0, value)]);
  return new Map(grown.filter(([, value]) => value > 0));
}

/**
 * @param {Map<string, number>} buckets cumulative counts by upper bound, as `totals(samples, "..._bucket", "le")`
 * @param {number} share 0 to 1
 * @returns {number} the value below which this share of all lies, evenly spread within a bucket; the greatest finite
 *   bound if it lies above; NaN without counts
 */
export function quantile(buckets, share) {
  const sorted = [...buckets].map(([bound, count]) => [Number(bound.replace(/inf$/i, "Infinity")), count]);
  sorted.sort(([one], [other]) => one - other);
  const all = sorted.at(-1)?.[1] ?? 0;
  if (!(all > 0)) return NaN;
  let [below, lower] = [0, 0];
  for (const [bound, count] of sorted) {
    if (count >= share * all && count > below) {
      const part = Math.max(0, share * all - below) / (count - below);
      return bound === Infinity ? lower : lower + (bound - lower) * part;
    }
    [below, lower] = [count, Math.max(lower, bound)];
  }
  return lower;
}
