import { bytes, clock, milliseconds, offset } from "../model/format.js";
import { toHex } from "../model/hex.js";
import { rowRuns } from "../model/visible-text.js";
import { element, setText } from "./dom.js";

const CHARACTERS = 300;
const BYTES = 100;
const KINDS = { text: "", json: "JSON", binary: "binary", empty: "empty", file: "binary" };
const blobStarts = new WeakMap();

/** One row of the log: an element that is used again for other rows. */
export class LogRow {
  #drawn = "";
  #cells;

  constructor() {
    this.id = null;
    const cell = (name, ...content) => element(`span.${name}`, { role: "gridcell" }, ...content);
    const [arrow, word] = [element("span", { "aria-hidden": "true" }), element("span.visually-hidden")];
    const [text, tag] = [element("bdi.text"), element("span.tag")];
    this.#cells = { arrow, word, text, tag, time: cell("time"), size: cell("size"), trip: cell("trip") };
    const { time, size, trip } = this.#cells;
    const body = cell("body", text, tag);
    this.element = element("div", { role: "row", tabindex: -1 }, time, cell("arrow", arrow, word), body, size, trip);
  }

  /**
   * @param {Object} row of a LogStore
   * @param {{index: number, time: string, isSelected: boolean, isMarked: boolean, isFolded: boolean, needle: string}}
   *   shown `index` from the oldest row that passes; `needle` is marked in the text
   * @param {() => void} again called when the start of a blob has been read
   */
  draw(row, shown, again) {
    const { element: line } = this;
    this.id = row.id;
    line.setAttribute("aria-rowindex", shown.index + 2);
    line.setAttribute("aria-selected", shown.isSelected);
    setText(this.#cells.time, (shown.isMarked ? "◆ " : "") + shown.time);
    const drawn = [row.id, row.roundTrip, row.echo?.state, shown.isFolded, shown.needle, blobStarts.has(row.payload)];
    if (this.#drawn === drawn.join()) return;
    this.#drawn = drawn.join();
    line.className = `line ${row.direction} ${row.event ? row.event.tone : ""}`;
    this.#drawCells(row, shown);
    const runs = rowRuns(start(row, again), CHARACTERS).flatMap((run) => runNodes(run, shown.needle));
    this.#cells.text.replaceChildren(...runs);
  }

  #drawCells(row, { isFolded }) {
    const { arrow, word, tag, size, trip } = this.#cells;
    const isEcho = isFolded && row.echo?.state === "same";
    setText(arrow, { sent: isEcho ? "⇅" : "↑", received: "↓" }[row.direction] ?? "");
    setText(word, row.event ? "event" : isEcho ? "sent and echoed" : row.direction);
    const [label, tone] = tagOf(row);
    setText(tag, label);
    tag.className = `tag ${tone}`;
    tag.hidden = !label;
    setText(size, row.event ? "" : bytes(row.size));
    setText(trip, row.direction === "received" || isEcho ? milliseconds(row.roundTrip) : "");
  }
}

/**
 * @param {Object} row
 * @param {"clock"|"open"|"before"} mode
 * @param {number} since ms since the epoch, for "open" and "before"
 * @returns {string}
 */
export function timeText(row, mode, since) {
  return mode === "clock" ? clock(row.time) : offset(row.time - since);
}

function tagOf({ event, echo, kind, payload }) {
  if (event) return ["", ""];
  if (echo?.state === "differs") return [`differs from byte ${echo.at}`, "warning"];
  if (echo?.state === "lost") return ["lost", "error"];
  return [typeof payload === "string" ? KINDS[kind] : payload.size === undefined ? "binary" : KINDS[kind], ""];
}

function start({ payload, kind, event }, again) {
  if (event) return event.text;
  if (typeof payload === "string") return payload;
  if (payload instanceof Uint8Array) return hex(payload);
  const known = blobStarts.get(payload);
  if (known === undefined) readStart(payload, kind === "text" || kind === "json").then(again, () => {});
  return known ?? "…";
}

async function readStart(blob, isText) {
  blobStarts.set(blob, "…");
  const bytes = new Uint8Array(await blob.slice(0, 4 * CHARACTERS).arrayBuffer());
  blobStarts.set(blob, isText ? new TextDecoder().decode(bytes) : hex(bytes));
}

function hex(payload) {
  return toHex(payload.subarray(0, BYTES), " ") + (payload.length > BYTES ? " …" : "");
}

function runNodes({ text, chip, title }, needle) {
  if (chip) return [element("span.chip", { title }, chip)];
  const lower = text.toLowerCase();
  if (!needle || lower.length !== text.length) return [text];
  const nodes = [];
  let end = 0;
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, end)) {
    nodes.push(text.slice(end, at), element("mark", {}, text.slice(at, at + needle.length)));
    end = at + needle.length;
  }
  return [...nodes, text.slice(end)];
}
