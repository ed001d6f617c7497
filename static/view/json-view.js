import { integer } from "../model/format.js";
import {
  foldsBelow, formatted, innerJson, jsonLines, lineLength, linePieces, lineText, memberCount,
} from "../model/json-text.js";
import { rowStarts } from "../model/visible-text.js";
import { element } from "./dom.js";
import { Rows, columnsOf } from "./rows.js";
import { visibleNodes } from "./text-view.js";

const HEIGHT = 24; // px; the buttons that fold need it
const DEEPEST = 24; // levels that are indented
const BUTTON = 12; // columns that "Open JSON" takes behind a string
const OPEN = 2000; // lines up to which a document is shown unfolded

/** JSON, re-indented from its own tokens; objects and arrays fold, and strings that hold JSON open in place. */
export class JsonView {
  #document = null; // {document, folded, opened}: `opened` has the same for each string that is opened, by its token
  #lines = []; // {state, line, depth}
  #starts = []; // per row: [line, from, to] in the text of the line
  #rows = new Rows("JSON", (row) => this.#draw(row));
  element = this.#rows.element;

  /** @param {ReturnType<import("../model/json-text.js").readJson>} document without a problem */
  show(document) {
    const lines = jsonLines(document).length;
    this.#document = stateOf(document, lines > OPEN ? foldsBelow(document, 2) : new Set());
    this.layout();
  }

  /** Break the lines anew, for another width. */
  layout({ keep = false } = {}) {
    const columns = columnsOf(this.element);
    this.#lines = [];
    this.#addLines(this.#document, 0);
    this.#starts = [];
    this.#lines.forEach((line, index) => this.#breakLine(line, index, columns));
    this.#rows.set(this.#starts.length, { height: HEIGHT, keep });
  }

  /** @param {number} levels that stay open */
  foldTo(levels) {
    this.#document.folded = foldsBelow(this.#document.document, levels);
    this.layout();
  }

  /** @returns {string} the whole document, formatted; what "Copy as shown" copies */
  get shown() {
    return formatted(this.#document.document);
  }

  #breakLine({ state, line, depth }, index, columns) {
    const width = Math.max(20, columns - 3 - 2 * Math.min(depth, DEEPEST));
    const length = lineLength(state.document, line);
    if (state.isPlain && length < width - BUTTON) {
      this.#starts.push([index, 0, Infinity]);
      return;
    }
    const text = lineText(state.document, line);
    const starts = rowStarts(text, /"\s*[{[]/.test(text) ? Math.max(20, width - BUTTON) : width);
    starts.forEach((from, part) => this.#starts.push([index, from, starts[part + 1] ?? Infinity]));
  }

  #addLines(state, outer) {
    for (const line of jsonLines(state.document, state.folded)) {
      const depth = line.depth + outer;
      this.#lines.push({ state, line, depth });
      for (let token = line.from; token < line.to; token += 1) {
        const inner = state.opened.get(token);
        if (inner) this.#addLines(inner, depth + 1);
      }
    }
  }

  #draw(row) {
    const [index, from, to] = this.#starts[row];
    const { state, line, depth } = this.#lines[index];
    const drawn = element("div.row.json", { style: { "--depth": Math.min(depth, DEEPEST) } });
    drawn.append(from === 0 && line.opener >= 0 ? this.#foldButton(state, line, row) : element("span.fold"));
    let at = 0;
    for (const piece of linePieces(state.document, line)) {
      const text = piece.text.slice(Math.max(0, from - at), Math.max(0, to - at));
      at += piece.text.length;
      if (text) drawn.append(element(`span.json-${CLASSES[piece.kind] ?? "mark"}`, {}, ...visibleNodes(text)));
      if (piece.kind === "string" && at <= to && at > from) drawn.append(...this.#innerButton(state, piece, row));
    }
    if (line.folded && to >= at) drawn.append(element("span.muted.small", {}, ` ${counted(state, line)}`));
    return drawn;
  }

  #foldButton(state, { opener, folded }, row) {
    const toggle = () => {
      if (!state.folded.delete(opener)) state.folded.add(opener);
      this.#again(row);
    };
    const attributes = { "aria-expanded": !folded, "aria-label": folded ? "Unfold" : "Fold", onclick: toggle };
    return element("button.fold.quiet", attributes, folded ? "▸" : "▾");
  }

  #innerButton(state, { text, token }, row) {
    if (state.opened.has(token)) {
      return [element("button.inner", { onclick: () => this.#again(row, state.opened.delete(token)) }, "Close JSON")];
    }
    const document = text.length < 1e6 ? innerJson(text) : null;
    if (!document) return [];
    const open = () => this.#again(row, state.opened.set(token, stateOf(document)));
    return [element("button.inner", { onclick: open }, "Open JSON")];
  }

  // The buttons are drawn anew: the focus returns to the one of the same row.
  #again(row) {
    const kind = document.activeElement?.className;
    this.layout({ keep: true });
    const rows = [...this.element.querySelectorAll(".row")];
    const drawn = rows.find((node) => Number(node.dataset.row) === row);
    (drawn?.querySelector(`button[class="${kind}"]`) ?? this.element).focus({ preventScroll: true });
  }
}

const CLASSES = { key: "key", string: "string", number: "number", literal: "literal", fold: "fold" };

function stateOf(document, folded = new Set()) {
  return { document, folded, opened: new Map(), isPlain: !/[^\t\n\r\x20-\x7e]/.test(document.text) };
}

function counted({ document }, { opener }) {
  const count = memberCount(document, opener);
  const noun = document.kinds[opener] === "{" ? "key" : "item";
  return `${integer(count)} ${noun}${count === 1 ? "" : "s"}`;
}
