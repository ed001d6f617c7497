// Charts on a canvas: round trips over time, a histogram, a sparkline. Colours come from the tokens of the page.
import { integer } from "../model/format.js";

const SIZE = 12;
const MARGIN = { left: 52, right: 10, top: 10, bottom: 22 };
const RETARDED = 1000;
const GAP = 6;
const TOKENS = ["text", "muted", "hairline", "accent", "received", "warning", "error", "surface"];
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

/**
 * A canvas with a label for screen readers. It draws what it got last, in the next frame, and again when its size or
 * the colours change; with reduced motion at most once a second.
 */
export class Chart {
  #draw = () => {};
  #waiting = false;
  #drawn = -RETARDED;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} height CSS pixels
   */
  constructor(canvas, height) {
    this.canvas = canvas;
    this.height = height;
    canvas.setAttribute("role", "img");
    canvas.className = "chart";
    canvas.style.height = `${height}px`;
    new ResizeObserver(() => this.#request()).observe(canvas);
    dark.addEventListener("change", () => this.#request());
    new MutationObserver(() => this.#request()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /**
   * @param {string} label what the chart shows, in figures
   * @param {(pen: object) => void} draw one of the functions below with its data
   */
  show(label, draw) {
    this.canvas.setAttribute("aria-label", label);
    this.#draw = draw;
    this.#request();
  }

  #request() {
    if (this.#waiting) return;
    this.#waiting = true;
    const rest = calm.matches ? this.#drawn + RETARDED - performance.now() : 0;
    const paint = () => requestAnimationFrame(() => this.#paint());
    if (rest > 0) setTimeout(paint, rest);
    else paint();
  }

  #paint() {
    this.#waiting = false;
    this.#drawn = performance.now();
    const width = this.canvas.clientWidth;
    if (!width) return;
    const scale = devicePixelRatio;
    Object.assign(this.canvas, { width: Math.round(width * scale), height: Math.round(this.height * scale) });
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    context.font = `${SIZE}px system-ui, sans-serif`;
    this.#draw({ context, width, height: this.height, colours: this.#colours() });
  }

  // Only a computed colour has light-dark() resolved.
  #colours() {
    const { style } = this.canvas;
    const colours = {};
    for (const name of TOKENS) {
      style.color = `var(--${name})`;
      colours[name] = getComputedStyle(this.canvas).color;
    }
    style.color = "";
    return colours;
  }
}

/**
 * Round trips over time, newest right: for each pixel column a line from the least to the greatest, a dot at the
 * median.
 * @param {object} pen
 * @param {{time: number, low: number, median: number, high: number}[]} points times and round trips in ms
 * @param {{from: number, to: number, isLog: boolean, marks: {time: number, text: string}[]}} view times in ms
 */
export function drawScatter({ context, width, height, colours }, points, { from, to, isLog, marks = [] }) {
  const area = inside(width, height);
  const shown = points.filter(({ time }) => time >= from && time <= to);
  const most = Math.max(shown.reduce((high, each) => Math.max(high, each.high), 0), 0.001) * 1.05;
  const least = isLog ? Math.max(0.001, shown.reduce((low, each) => Math.min(low, each.low), most) * 0.9) : 0;
  const position = (value) => (isLog ? logarithmic(value, least, most) : value / most);
  const x = (time) => area.left + ((time - from) / Math.max(1, to - from)) * area.width;
  const y = (value) => area.bottom - position(value) * area.height;
  grid(context, colours, area, isLog ? ticks(least, most) : steps(most), y, milliseconds);
  const span = (to - from) / 1000;
  for (const part of [0, 0.5, 1]) {
    const ago = Math.round(span * (1 - part) * 10) / 10;
    const label = ago === 0 ? "now" : `−${ago} s`;
    const align = ["left", "center", "right"][part * 2];
    write(context, colours.muted, label, area.left + part * area.width, height - 6, align);
  }
  for (const { columnX, low, median, high } of columns(shown, x)) {
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.45;
    context.fillRect(columnX, y(high), 1, Math.max(1, y(low) - y(high)));
    context.globalAlpha = 1;
    context.fillRect(columnX - 1, y(median) - 1, 3, 3);
  }
  for (const { time, text } of marks.filter((each) => each.time >= from && each.time <= to)) {
    line(context, colours.error, x(time), area.top, x(time), area.bottom, [4, 3]);
    write(context, colours.error, text, x(time) + 3, area.top + SIZE, "left");
  }
}

/** One value for each pixel column: what lies in it is taken together. */
function columns(points, x) {
  const found = new Map();
  for (const { time, low, median, high } of points) {
    const columnX = Math.round(x(time));
    const known = found.get(columnX);
    if (!known) found.set(columnX, { columnX, low, median, high });
    else Object.assign(known, { low: Math.min(known.low, low), high: Math.max(known.high, high), median });
  }
  return found.values();
}

/**
 * A histogram with a logarithmic axis, decades labelled.
 * @param {object} pen
 * @param {{from: number, to: number, count: number}[]} buckets edges in ms
 * @param {{value: number, label: string}[]} marks vertical lines, in ms
 */
export function drawHistogram({ context, width, height, colours }, buckets, marks) {
  const area = { ...inside(width, height), top: MARGIN.top + SIZE };
  area.height = area.bottom - area.top;
  if (!buckets.length) return;
  const lowest = Math.max(0.001, Math.min(buckets[0].from || buckets[0].to, ...marks.map(({ value }) => value)) / 1.2);
  const highest = Math.max(buckets.at(-1).to, lowest * 10) * 1.2;
  const x = (value) => area.left + logarithmic(value, lowest, highest) * area.width;
  // A few values in many narrow buckets look like noise: the fewer there are, the wider are the bars.
  const values = buckets.reduce((sum, { count }) => sum + count, 0);
  const wide = Math.max(2, Math.round(area.width / Math.min(150, 8 * Math.sqrt(values))));
  const bars = new Map();
  for (const { from, to, count } of buckets) {
    const left = Math.floor(x((from + to) / 2) / wide) * wide;
    bars.set(left, (bars.get(left) ?? 0) + count);
  }
  const most = Math.max(...bars.values());
  const y = (count) => area.bottom - (count / most) * area.height;
  grid(context, colours, area, steps(most).filter(Number.isInteger), y, integer);
  context.fillStyle = colours.accent;
  for (const [left, count] of bars) context.fillRect(left, y(count), wide - 1, area.bottom - y(count));
  for (const decade of ticks(lowest, highest)) {
    line(context, colours.muted, x(decade), area.bottom, x(decade), area.bottom + 4);
    write(context, colours.muted, `${milliseconds(decade)} ms`, x(decade), height - 5, "center");
  }
  const shown = marks.filter(({ value }) => Number.isFinite(value));
  for (const { value } of shown) line(context, colours.text, x(value), area.top, x(value), area.bottom, [3, 3]);
  const widths = shown.map(({ label }) => context.measureText(label).width + GAP);
  const places = apart(shown.map(({ value }) => x(value)), widths, width);
  shown.forEach(({ label }, index) => write(context, colours.text, label, places[index], MARGIN.top, "left"));
}

/** Places beside each other, as near as possible to those that are wanted, which rise; none is beyond `end`. */
function apart(wanted, widths, end) {
  const places = [];
  wanted.forEach((place, index) => places.push(Math.max(place, index ? places[index - 1] + widths[index - 1] : place)));
  for (let [index, free] = [places.length - 1, end]; index >= 0; index -= 1) {
    places[index] = Math.min(places[index], free - widths[index]);
    free = places[index];
  }
  return places;
}

/**
 * A line without axes, from zero.
 * @param {object} pen
 * @param {number[]} values oldest first; NaN is a gap
 * @param {number} count how many fit
 */
export function drawSparkline({ context, width, height, colours }, values, count) {
  const most = Math.max(...values.filter(Number.isFinite), 1e-9);
  const x = (index) => width - 2 - ((values.length - 1 - index) / Math.max(1, count - 1)) * (width - 4);
  line(context, colours.hairline, 0, height - 1, width, height - 1);
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.5;
  context.beginPath();
  values.forEach((value, index) => {
    const y = height - 2 - (value / most) * (height - 5);
    if (!Number.isFinite(value)) return;
    if (index === 0 || !Number.isFinite(values[index - 1])) context.moveTo(x(index), y);
    else context.lineTo(x(index), y);
  });
  context.stroke();
}

function inside(width, height) {
  const [left, top, right, bottom] = [MARGIN.left, MARGIN.top, width - MARGIN.right, height - MARGIN.bottom];
  return { left, top, right, bottom, width: Math.max(1, right - left), height: bottom - top };
}

function grid(context, colours, area, values, y, words) {
  for (const value of values) {
    const at = Math.round(y(value)) + 0.5;
    if (at < area.top) continue;
    line(context, colours.hairline, area.left, at, area.right, at);
    write(context, colours.muted, words(value), area.left - 6, at + 4, "right");
  }
}

function line(context, colour, fromX, fromY, toX, toY, dashes = []) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
  context.setLineDash([]);
}

function write(context, colour, text, x, y, align) {
  context.fillStyle = colour;
  context.textAlign = align;
  context.fillText(text, x, y);
}

const logarithmic = (value, least, most) => Math.log(Math.max(value, least) / least) / Math.log(most / least);

/** Three to five round values from zero to `most`. */
function steps(most) {
  const raw = most / 4;
  const decade = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((each) => each * decade >= raw) * decade;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
}

/** Decades; where there are few, 2 and 5 times them too. */
function ticks(least, most) {
  const wide = decades(least, most);
  if (wide.length > 2) return wide;
  const narrow = decades(least / 10, most).flatMap((each) => [each, 2 * each, 5 * each]);
  return narrow.filter((value) => value >= least && value <= most);
}

function decades(least, most) {
  const [first, last] = [Math.ceil(Math.log10(least)), Math.floor(Math.log10(most))];
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => 10 ** (first + index));
}

const milliseconds = (value) => String(Number(value.toPrecision(3)));
