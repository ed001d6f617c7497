import { Batch } from "../model/batch.js";
import { pack } from "../model/packed.js";
import { now } from "./clock.js";

const FRAME = 16; // ms
// Nobody reads rows that come faster than this. To draw them in each frame would take the processor from the socket.
const MANY = 50; // rows of a batch
const PAUSE = 64; // ms after a batch of many rows
const LONG = 1024 * 1024; // bytes, above which a payload is handed over as a blob
const PARSED = 65536;

/**
 * Hands over to the page: at most one batch a frame, fewer if they have many rows, and none before the page has taken
 * the last one.
 */
export class Report {
  #post;
  #batch = new Batch();
  #extra;
  #isWaiting = false; // for the page
  #isDirty = false;
  #next = -Infinity; // ms, when the next batch may go
  #timer = 0;

  /**
   * @param {(message: object, transfer?: ArrayBuffer[]) => void} post
   * @param {(now: number) => object} extra what goes with each batch
   */
  constructor(post, extra) {
    this.#post = post;
    this.#extra = extra;
    this.notKept = 0;
  }

  /** @param {object} row of the log, see `Batch` */
  add(row) {
    this.#batch.add(row);
  }

  /** What became of a sent message, see `Batch.echo`. */
  echo(key, echo) {
    this.#batch.echo(key, echo);
  }

  /** No echo comes for any message that waits for one. */
  loseAll() {
    this.#batch.loseAll();
  }

  /**
   * Something has changed: hand it over when its time has come. Under a flood of messages timers starve, so that each
   * message calls this.
   * @param {number} time ms
   */
  changed(time) {
    this.#isDirty = true;
    if (this.#isWaiting) return;
    const rest = this.#next - time;
    if (rest <= 0) this.#flush(time);
    else this.#timer ||= setTimeout(() => this.#flush(now()), rest);
  }

  /** The page has taken the last batch. */
  acknowledge() {
    this.#isWaiting = false;
    if (this.#isDirty) this.changed(now());
  }

  /**
   * Hand over what there is, then the state.
   * @param {object} state
   */
  state(state) {
    this.#flush(now());
    this.#post({ is: "state", ...state });
  }

  #flush(time) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#isWaiting = true;
    this.#isDirty = false;
    const { rows, updates } = this.#batch.take();
    for (const row of rows) if (row.direction === "gap") this.notKept += row.count;
    this.#next = time + (rows.length > MANY ? PAUSE : FRAME);
    const { packed, transfer } = pack(rows.map(prepared), updates);
    this.#post({ is: "batch", packed, ...this.#extra(time) }, transfer);
  }
}

function prepared(row) {
  if (row.direction === "gap") return row;
  const { key, time, direction, size, roundTrip, echo, data, isFile } = row;
  const kind = isFile ? "file" : kindOf(data);
  const payload = size > LONG ? new Blob([data], { type: typeof data === "string" ? "text/plain" : "" }) : data;
  return { key, time, direction, size, roundTrip, echo, kind, payload };
}

function kindOf(data) {
  if (data.length === 0) return "empty";
  if (typeof data !== "string") return "binary";
  return isJson(data) ? "json" : "text";
}

// Only objects and lists: a number or a word is JSON too, but nobody means it. A long text is judged by its ends.
function isJson(text) {
  if (!/^\s{0,100}[{[]/.test(text) || !/[}\]]\s{0,100}$/.test(text.slice(-101))) return false;
  if (text.length > PARSED) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
