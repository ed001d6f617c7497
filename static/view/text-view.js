import { direction, rowStarts, visibleRuns } from "../model/visible-text.js";
import { element } from "./dom.js";
import { Rows, columnsOf } from "./rows.js";

const LONGEST = 65536; // UTF-16 code units that are shown as fonts would show them

/**
 * Nodes for a text, with chips for what a reader could not see.
 * @param {string} text
 * @param {{breaks?: boolean}} options of visibleRuns
 * @returns {Array<HTMLElement|string>}
 */
export function visibleNodes(text, options) {
  return visibleRuns(text, options).map((run) =>
    run.chip ? element("span.chip", { title: run.title }, run.chip) : run.text,
  );
}

/** A text as it is, with line breaks, in virtual rows. */
export class TextView {
  #text = "";
  #starts = [0];
  #rows = new Rows("Text", (row) => this.#draw(row));
  element = this.#rows.element;

  /** @param {string} text */
  show(text) {
    this.#text = text;
    this.element.dir = direction(text);
    this.layout();
  }

  /** Break the lines anew, for another width. */
  layout({ keep = false } = {}) {
    this.#starts = rowStarts(this.#text, columnsOf(this.element));
    this.#rows.set(this.#starts.length, { keep });
  }

  /** @returns {string} what "Copy as shown" copies */
  get shown() {
    return this.#text;
  }

  #draw(row) {
    const line = this.#text.slice(this.#starts[row], this.#starts[row + 1]).replace(/\r?\n$/, "");
    return element("div.row", {}, ...visibleNodes(line, { breaks: false }));
  }
}

/**
 * The start of a text as fonts show it, in an isolate that nothing leaves.
 * @param {string} text
 */
export function fontView(text) {
  const shown = element("bdi.font-text.wire", { dir: "auto", tabindex: 0 }, text.slice(0, LONGEST));
  const note = text.length > LONGEST && element("p.muted", {}, "Only the first 65,536 characters are shown.");
  return element("div.stack", {}, shown, note);
}
