import { parseFilter, Passing, rowTest, searchedText } from "../model/log-filter.js";
import { Emitter } from "./events.js";
import { startWorker } from "./worker.js";

const SLICE = 5; // ms of one search over old rows
const PATIENCE = 1000; // ms for one batch of an expression
const START = 30_000; // ms until the worker has started: a busy machine needs long to load it
const BATCH = { rows: 2000, characters: 500_000 };

/**
 * The rows of one log that pass the filter. New rows are tested as they arrive, old ones in slices, newest first.
 * Expressions are matched in a worker that is ended if it takes too long. Raises "change".
 */
export class LogSearch extends Emitter {
  #store = null;
  #test = null;
  #passing = null; // null: all rows pass
  #next = 0; // id of the first row that is not yet tested
  #oldest = 0; // id below which rows are not yet tested
  #first = 0; // firstId when last looked at
  #held = Infinity; // id from which rows are left out
  #worker = null;
  #busy = false;
  #timer = 0;
  #run = 0; // counts searches, so that answers of an older one are ignored
  #channel = new MessageChannel();

  constructor() {
    super();
    /** What is searched for: `show` of model/log-filter.js, the text typed, and whether echoes are folded. */
    this.criteria = { show: "all", typed: "", fold: false };
    /** What is wrong with the expression; empty if nothing is. */
    this.problem = "";
    this.#channel.port1.onmessage = ({ data }) => data === this.#run && this.#searchSlice();
  }

  /** Whether rows are hidden. */
  get isLimited() {
    return this.#passing !== null;
  }

  /** Text that rows are searched for, to be marked in them; empty if there is none. */
  get text() {
    return parseFilter(this.criteria.typed).text;
  }

  /** Number of rows that pass. */
  get count() {
    return this.#passing ? this.#passing.length : this.#end - this.#first;
  }

  get #end() {
    return Math.min(this.#store?.endId ?? 0, this.#held);
  }

  /** Number of rows that have arrived since `hold`. */
  get waiting() {
    return this.#store.endId - this.#end;
  }

  /** @param {boolean} on whether rows that arrive from now on are left out */
  hold(on) {
    this.#held = on ? this.#store.endId : Infinity;
    this.refresh();
  }

  /** @param {number} index @returns {number} id of the row */
  idAt(index) {
    return this.#passing ? this.#passing.at(index) : this.#first + index;
  }

  /** @param {number} id @returns {number} index of the row, or of the one after it if it does not pass */
  indexOf(id) {
    return this.#passing ? this.#passing.indexOf(id) : Math.max(0, Math.min(id - this.#first, this.count));
  }

  /** @param {number} id @returns {boolean} */
  has(id) {
    return id !== null && this.idAt(this.indexOf(id)) === id && this.indexOf(id) < this.count;
  }

  /** @param {import("../model/log-store.js").LogStore} store */
  use(store) {
    this.#store = store;
    this.#held = Infinity;
    this.search(this.criteria);
  }

  /** @param {{show?: string, typed?: string, fold?: boolean}} changes of the criteria; the search starts anew */
  search(changes) {
    this.criteria = { ...this.criteria, ...changes };
    const { text, expression, problem } = parseFilter(this.criteria.typed);
    const { show, fold } = this.criteria;
    this.#endWorker();
    this.#run += 1;
    this.problem = problem;
    this.#first = this.#store.firstId;
    this.#next = this.#oldest = this.#end;
    const isLimited = show !== "all" || text !== "" || expression || fold;
    this.#passing = isLimited ? new Passing() : null;
    const passes = rowTest({ show, text });
    this.#test = fold ? (row) => !this.#isFolded(row) && passes(row) : passes;
    if (expression) this.#start(expression);
    else if (isLimited) this.#later();
    this.emit("change");
  }

  // An echo that is the same is folded into the row that was sent, while that is there.
  #isFolded({ direction, echo }) {
    return direction === "received" && echo?.state === "same" && echo.of >= this.#store.firstId;
  }

  /**
   * Look at rows that have arrived or were dropped.
   * @returns {number} how many of the rows before were dropped
   */
  refresh() {
    const first = this.#store.firstId;
    const dropped = this.#passing ? this.#passing.drop(first) : Math.max(0, first - this.#first);
    this.#first = first;
    if (this.#end < this.#next) this.search({});
    if (this.#worker) this.#ask();
    else if (this.#passing) {
      for (; this.#next < this.#end; this.#next += 1) {
        const row = this.#store.get(this.#next);
        if (row && this.#test(row)) this.#passing.addNewer(row.id);
      }
    }
    return dropped;
  }

  #later() {
    this.#channel.port2.postMessage(this.#run);
  }

  #searchSlice() {
    const end = performance.now() + SLICE;
    while (this.#oldest > this.#store.firstId && performance.now() < end) {
      for (let count = 0; count < 50 && this.#oldest > this.#store.firstId; count += 1) {
        this.#oldest -= 1;
        const row = this.#store.get(this.#oldest);
        if (this.#test(row)) this.#passing.addOlder(row.id);
      }
    }
    if (this.#oldest > this.#store.firstId) this.#later();
    this.emit("change");
  }

  #start(expression) {
    this.#worker = startWorker("filter");
    this.#post(expression, START, () => {});
  }

  #endWorker() {
    clearTimeout(this.#timer);
    this.#worker?.terminate();
    this.#worker = null;
    this.#busy = false;
  }

  #ask() {
    if (this.#busy) return;
    const isNewer = this.#next < this.#end;
    const rows = isNewer ? this.#takeNewer() : this.#takeOlder();
    if (!rows.length) {
      if (isNewer || this.#oldest > this.#store.firstId) this.#ask();
      return;
    }
    this.#post({ ids: rows.map(({ id }) => id), texts: rows.map(searchedText) }, PATIENCE, ({ ids }) => {
      for (const id of ids) isNewer ? this.#passing.addNewer(id) : this.#passing.addOlder(id);
      this.emit("change");
    });
  }

  #post(message, patience, take) {
    this.#busy = true;
    this.#timer = setTimeout(() => {
      this.#endWorker();
      this.problem = "The expression takes too long. The search was stopped.";
      this.emit("change");
    }, patience);
    this.#worker.onmessage = ({ data }) => {
      clearTimeout(this.#timer);
      this.#busy = false;
      take(data);
      this.#ask();
    };
    this.#worker.postMessage(message);
  }

  #takeNewer() {
    return this.#take(() => this.#next < this.#end && this.#store.get(this.#next++));
  }

  #takeOlder() {
    return this.#take(() => this.#oldest > this.#store.firstId && this.#store.get(--this.#oldest));
  }

  #take(next) {
    const rows = [];
    let characters = 0;
    for (let count = 0; count < BATCH.rows && characters < BATCH.characters; count += 1) {
      const row = next();
      if (!row) break;
      if (!this.#test(row)) continue;
      rows.push(row);
      characters += row.payload.length ?? 0;
    }
    return rows;
  }
}
