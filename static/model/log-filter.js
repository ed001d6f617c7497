import { toHex } from "./hex.js";

const encoder = new TextEncoder();

/** What "show" can be limited to, with its words. */
export const SHOWN = {
  all: "All",
  sent: "Sent",
  received: "Received",
  event: "Events",
  text: "Text",
  json: "JSON",
  binary: "Binary",
  differs: "Echoes that differ",
};

/**
 * Read what was typed into the filter.
 * @param {string} typed text, which is found in upper and lower case, or `/expression/flags`
 * @returns {{text: string, expression: {source: string, flags: string}|null, problem: string}} `problem` names the
 *   fault of an expression
 */
export function parseFilter(typed) {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(typed) ?? [];
  if (source === undefined) return { text: typed, expression: null, problem: "" };
  try {
    new RegExp(source, flags);
    return { text: "", expression: { source, flags: flags.replace(/[gy]/g, "") }, problem: "" };
  } catch (error) {
    return { text: "", expression: null, problem: error.message.replace(/^Invalid regular expression: /, "") };
  }
}

/**
 * A test of rows by direction or kind, and by text. Binary payloads pass if they contain the text in UTF-8, or the
 * bytes that the text writes in hexadecimal. Blobs are not searched.
 * @param {{show?: string, text?: string}} criteria `show` is a name in SHOWN
 * @returns {(row: Object) => boolean}
 */
export function rowTest({ show = "all", text = "" }) {
  const isShown = showTest(show);
  if (text === "") return isShown;
  const lower = text.toLowerCase();
  const needles = [encoder.encode(text)];
  const hex = text.replace(/\s/g, "");
  if (/^([0-9a-f]{2})+$/i.test(hex)) needles.push(Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16)));
  return (row) => {
    if (!isShown(row)) return false;
    const { payload } = row;
    if (payload instanceof Uint8Array) return needles.some((needle) => includes(payload, needle));
    const searched = row.event ? row.event.text : payload;
    return typeof searched === "string" && searched.toLowerCase().includes(lower);
  };
}

/**
 * What an expression is matched with.
 * @param {Object} row
 * @returns {string} text of a message or event; bytes as hexadecimal pairs
 */
export function searchedText({ payload, event }) {
  if (event) return event.text;
  if (typeof payload === "string") return payload;
  if (!(payload instanceof Uint8Array)) return "";
  return toHex(payload.subarray(0, 65536), " ");
}

function showTest(show) {
  if (show === "all") return () => true;
  if (show === "event") return ({ direction }) => direction === "event" || direction === "gap";
  if (show === "sent" || show === "received") return ({ direction }) => direction === show;
  if (show === "differs") return ({ echo }) => echo?.state === "differs" || echo?.state === "lost";
  if (show === "binary") return ({ payload, event }) => !event && typeof payload !== "string";
  return ({ kind, event }) => !event && (kind === show || (show === "text" && kind === "empty"));
}

function includes(bytes, needle) {
  const last = bytes.length - needle.length;
  for (let at = bytes.indexOf(needle[0]); at >= 0 && at <= last; at = bytes.indexOf(needle[0], at + 1)) {
    let length = 1;
    while (length < needle.length && bytes[at + length] === needle[length]) length += 1;
    if (length === needle.length) return true;
  }
  return false;
}

/** Ids of the rows that pass, in order, while new rows arrive at one end and old ones are found at the other. */
export class Passing {
  #older = []; // newest first
  #newer = [];
  #start = 0; // of #newer

  /** Number of ids. */
  get length() {
    return this.#older.length + this.#newer.length - this.#start;
  }

  /** @param {number} id higher than all others */
  addNewer(id) {
    this.#newer.push(id);
  }

  /** @param {number} id lower than all others */
  addOlder(id) {
    this.#older.push(id);
  }

  /**
   * @param {number} index from the oldest
   * @returns {number|undefined}
   */
  at(index) {
    const older = this.#older.length;
    return index < older ? this.#older[older - 1 - index] : this.#newer[index - older + this.#start];
  }

  /**
   * @param {number} id
   * @returns {number} the number of ids that are lower: the index of `id`, if it passes
   */
  indexOf(id) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Forget ids of rows that were dropped.
   * @param {number} firstId the oldest that remains
   * @returns {number} how many were forgotten
   */
  drop(firstId) {
    const count = this.indexOf(firstId);
    const fromOlder = Math.min(count, this.#older.length);
    this.#older.length -= fromOlder;
    this.#start += count - fromOlder;
    if (this.#start > 10000) {
      this.#newer.splice(0, this.#start);
      this.#start = 0;
    }
    return count;
  }
}
