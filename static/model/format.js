// Numbers, sizes and times as the page shows them, in the locale of the reader.
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const digits = [0, 1, 2].map(
  (count) => new Intl.NumberFormat(undefined, { minimumFractionDigits: count, maximumFractionDigits: count }),
);
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * @param {number} value
 * @returns {string} `1,204`
 */
export function integer(value) {
  return whole.format(value);
}

/**
 * @param {number} size bytes
 * @returns {string} `141 B`, `1.4 KiB`: exact below 10,000 bytes
 */
export function bytes(size) {
  if (size < 10000) return `${whole.format(size)} B`;
  let unit = 0;
  let value = size;
  while (value >= 1024 && unit < SIZES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${significant(value)} ${SIZES[unit]}`;
}

/**
 * @param {number} time ms; NaN is no time
 * @returns {string} ms without the unit, for a column: `0.84`, `12.3`, `1,204`; empty for NaN
 */
export function milliseconds(time) {
  return Number.isNaN(time) ? "" : significant(time);
}

/**
 * @param {number} time ms
 * @returns {string} `0.84 ms`, `1.2 s`, `4:05`, `1:02:03`
 */
export function duration(time) {
  const size = Math.abs(time);
  if (size < 999.5) return `${significant(time)} ms`;
  return size < 60000 ? `${digits[1].format(time / 1000)} s` : elapsed(time);
}

/**
 * @param {number} time ms
 * @returns {string} whole seconds as a stopwatch shows them: `0:42`, `1:02:03`
 */
export function elapsed(time) {
  const seconds = Math.max(0, Math.floor(time / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const end = pad(seconds % 60, 2);
  return hours ? `${hours}:${pad(minutes, 2)}:${end}` : `${minutes}:${end}`;
}

/**
 * @param {number} time ms since the epoch
 * @returns {string} local time of day: `12:04:05.120`
 */
export function clock(time) {
  const date = new Date(time);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part, 2));
  return `${parts.join(":")}.${pad(date.getMilliseconds(), 3)}`;
}

/**
 * @param {number} time ms
 * @returns {string} seconds with milliseconds, for a column: `+0.006`, `+61.200`
 */
export function offset(time) {
  return Number.isNaN(time) ? "" : `${time < 0 ? "−" : "+"}${(Math.abs(time) / 1000).toFixed(3)}`;
}

function significant(value) {
  const size = Math.abs(value);
  return digits[size < 9.995 ? 2 : size < 99.95 ? 1 : 0].format(value);
}

function pad(value, length) {
  return String(value).padStart(length, "0");
}
