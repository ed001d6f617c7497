import { hexRow, readings, toHex } from "../model/hex.js";
import { element } from "./dom.js";
import { Rows, columnsOf } from "./rows.js";
import { visibleNodes } from "./text-view.js";

const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: "up", ArrowDown: "down" };

/** Bytes in virtual rows. A selected range is read as numbers and text. */
export class HexView {
  #bytes = new Uint8Array(0);
  #width = 16;
  #range = null; // {anchor, focus}, indices of bytes
  #rows = new Rows("Bytes: arrow keys select, with Shift a range", (row) => this.#draw(row));
  #readings = element("dl.readings.small", { hidden: true });
  element = element("div.hex-view", {}, this.#rows.element, this.#readings);

  constructor() {
    const rows = this.#rows.element;
    rows.addEventListener("pointerdown", (event) => this.#pointed(event, !event.shiftKey));
    rows.addEventListener("pointermove", (event) => event.buttons === 1 && this.#pointed(event, false));
    rows.addEventListener("keydown", (event) => this.#moved(event));
  }

  /** @param {Uint8Array} bytes */
  show(bytes) {
    this.#bytes = bytes;
    this.#select(null);
    this.layout();
  }

  /** Choose eight or sixteen bytes a row, for another width. */
  layout({ keep = false } = {}) {
    this.#width = bytesPerRow(this.#rows.element, this.#bytes.length);
    this.#rows.set(Math.ceil(this.#bytes.length / this.#width), { keep });
  }

  /** @returns {string} a dump of all bytes; what "Copy as shown" copies */
  get shown() {
    const lines = [];
    for (let at = 0; at < this.#bytes.length; at += 16) {
      const { offset, digits, characters } = hexRow(this.#bytes, at, 16);
      lines.push(`${offset}  ${digits.join(" ").padEnd(47)}  ${characters}`);
    }
    return lines.join("\n");
  }

  #draw(row) {
    const at = row * this.#width;
    const { anchor = -1, focus = -1 } = this.#range ?? {};
    const isSelected = (index) => index >= Math.min(anchor, focus) && index <= Math.max(anchor, focus) && anchor >= 0;
    return drawBytes(this.#bytes, at, this.#width, (index) => (isSelected(index) ? "selected" : ""));
  }

  #pointed(event, isStart) {
    const at = event.target.dataset?.at;
    if (at === undefined) return;
    const anchor = isStart || !this.#range ? Number(at) : this.#range.anchor;
    this.#select({ anchor, focus: Number(at) });
  }

  #moved(event) {
    const move = MOVES[event.key];
    if (move === undefined || !this.#bytes.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const step = { up: -this.#width, down: this.#width }[move] ?? move;
    const from = this.#range ? this.#range.focus + step : 0;
    const focus = Math.max(0, Math.min(this.#bytes.length - 1, from));
    this.#select({ anchor: event.shiftKey && this.#range ? this.#range.anchor : focus, focus });
    this.#rows.reveal(Math.floor(focus / this.#width));
  }

  #select(range) {
    this.#range = range;
    this.#readings.hidden = !range;
    this.#rows.refresh();
    if (!range) return;
    const [from, last] = [range.anchor, range.focus].sort((one, other) => one - other);
    const place = from === last ? `byte ${from}` : `bytes ${from} to ${last}`;
    const entries = [{ name: "selected", value: place }, ...readings(this.#bytes.subarray(from, last + 1))];
    const nodes = entries.map(({ name, value }) =>
      element("div", {}, element("dt.muted", {}, name), element("dd.wire", {}, ...visibleNodes(value))),
    );
    this.#readings.replaceChildren(...nodes);
  }
}

/** Two versions of a message, byte by byte, with the changed bytes marked. */
export class DifferenceView {
  #versions = [];
  #at = 0;
  #width = 8;
  #rows = new Rows("Sent and received, byte by byte", (row) => this.#draw(row));
  element = this.#rows.element;

  /**
   * @param {Uint8Array} sent
   * @param {Uint8Array} received
   * @param {number} at index of the first byte that differs
   */
  show(sent, received, at) {
    this.#versions = [sent, received];
    this.#at = at;
    this.layout();
  }

  /** Choose eight or sixteen bytes a row, for another width, and show the first difference. */
  layout() {
    const length = Math.max(0, ...this.#versions.map((bytes) => bytes.length));
    this.#width = bytesPerRow(this.element, length, 2);
    this.#rows.set(2 * Math.ceil(length / this.#width));
    this.#rows.reveal(2 * Math.floor(this.#at / this.#width));
  }

  /** @returns {string} both versions; what "Copy as shown" copies */
  get shown() {
    const [sent, received] = this.#versions.map((bytes) => toHex(bytes, " "));
    return `sent      ${sent}\nreceived  ${received}`;
  }

  #draw(row) {
    const at = (row >> 1) * this.#width;
    const [bytes, other] = row % 2 ? [...this.#versions].reverse() : this.#versions;
    const drawn = drawBytes(bytes, at, this.#width, (index) => (bytes[index] === other[index] ? "" : "changed"));
    const side = row % 2 ? "received" : "sent";
    drawn.prepend(element(`span.side.${side}`, { title: side }, row % 2 ? "↓ " : "↑ "));
    if (row % 2) drawn.classList.add("pair-end");
    return drawn;
  }
}

function bytesPerRow(holder, size, extra = 0) {
  return columnsOf(holder) >= offsetDigits(size) + 59 + extra ? 16 : 8;
}

function offsetDigits(size) {
  return Math.max(4, (size - 1).toString(16).length);
}

function drawBytes(bytes, at, width, mark) {
  const { offset, digits, characters } = hexRow(bytes, at, width);
  const row = element("div.row.hex", {}, element("span.offset", {}, offset.slice(-offsetDigits(bytes.length))));
  const cells = element("span.bytes", { style: { "--bytes": width } });
  const text = element("span.characters");
  digits.forEach((digit, index) => {
    const found = mark(at + index);
    const kind = found ? `.${found}` : "";
    cells.append(element(`span${index === 8 ? ".group" : ""}${kind}`, { "data-at": at + index }, digit));
    text.append(kind ? element(`span${kind}`, { "data-at": at + index }, characters[index]) : characters[index]);
  });
  row.append(cells, text);
  return row;
}
