import { duration, integer } from "../model/format.js";
import { toHex } from "../model/hex.js";
import { copyText } from "./clipboard.js";
import { byId, element, setText } from "./dom.js";
import { Emitter } from "./events.js";
import { LogRow, timeText } from "./log-row.js";
import { LogSearch } from "./log-search.js";
import { LogTools } from "./log-tools.js";
import { RowList } from "./row-list.js";

const HEADS = [["time", "Time"], ["arrow", "Direction"], ["body", "Message"], ["size", "Size"], ["trip", "RTT, ms"]];

/**
 * The log of the active connection. Raises "select" with the id of the selected row, or null, and "rows" when rows
 * that pass the filter have arrived.
 */
export class LogView extends Emitter {
  #context;
  #connection = null;
  #off = () => {};
  #rows = new LogSearch();
  #list;
  #tools;
  #marks = [];
  #undo = null; // what brings back a cleared log
  #isPaused = false;
  #leftAt = 0; // endId when following ended
  #unspoken = 0; // messages received and not yet announced
  #seen = 0; // endId when rows were last announced
  #grid = element("div.log-grid", { role: "grid", "aria-label": "Messages" });
  #empty = element("p.log-empty.muted");
  #notes = element("div.log-notes.small");
  #newer = element("button.log-new", { hidden: true, onclick: () => this.#showNewer() });

  constructor(context) {
    super();
    this.#context = context;
    /** Id of the selected row, or null. */
    this.selected = null;
    this.#list = new RowList(this.#rows, () => new LogRow(), (row, id, index) => this.#draw(row, id, index));
    this.#tools = new LogTools(this, () => context.exportLog());
    const heads = HEADS.map(([name, title]) => element(`span.${name}`, { role: "columnheader" }, title));
    const head = element("div.log-head", { role: "row", "aria-rowindex": 1 }, ...heads);
    this.#grid.append(element("div", { role: "rowgroup" }, head), this.#list.element);
    byId("log").append(this.#grid, this.#empty, this.#newer, this.#notes);
    this.#listen();
    context.connections.on("active", () => this.#attach(context.connections.active));
    this.#attach(context.connections.active);
  }

  /** The criteria of the filter. */
  get criteria() {
    return this.#rows.criteria;
  }

  /** Ids of the rows that pass the filter, oldest first. @returns {number[]} */
  passing() {
    return Array.from({ length: this.#rows.count }, (_, index) => this.#rows.idAt(index));
  }

  /** Id of the newest row that passes the filter, or null. */
  get newest() {
    return this.#rows.count ? this.#rows.idAt(this.#rows.count - 1) : null;
  }

  /** @param {Object} changes of the criteria */
  search(changes) {
    this.#rows.search(changes);
    if (this.#tools.filter.value !== this.criteria.typed) this.#tools.filter.value = this.criteria.typed;
  }

  /** @param {boolean} on whether echoes that are the same are folded into the rows that were sent */
  fold(on) {
    this.#context.settings.set("foldEchoes", on);
  }

  /** Stop the list, or let it go on. Rows are kept and counted all the same. */
  pause() {
    this.#isPaused = !this.#isPaused;
    this.#rows.hold(this.#isPaused);
    this.#update();
  }

  /** Empty the log, or undo that while no row has arrived since. */
  clear() {
    const { log } = this.#connection;
    if (this.#undo) {
      log.restore(this.#undo);
      this.#undo = null;
    } else {
      this.#undo = log.length ? log.clear() : null;
    }
    this.#marks = [];
    this.select(null);
    this.#rows.use(log);
    if (this.#isPaused) this.#rows.hold(true);
    this.follow();
  }

  /** Stay at the end of the list. */
  follow() {
    this.#list.follow(true);
    this.#update();
  }

  /** Give the focus to the log. */
  focus() {
    this.#context.panels.narrow && this.#context.panels.show("log");
    this.#list.focus();
  }

  /** @param {number|null} id of a row, which is brought into view */
  select(id) {
    this.selected = id;
    if (id !== null) this.#list.activate(id);
    this.#list.update();
    this.emit("select", id);
  }

  #listen() {
    this.#rows.on("change", () => this.#update());
    this.#list.on("follow", (on) => {
      this.#leftAt = this.#connection.log.endId;
      this.#update(on);
    });
    this.#list.on("pick", (id) => this.#pick(id));
    this.#list.on("key", (event, id) => this.#keyed(event, id));
    this.#list.element.addEventListener("click", ({ target }) => {
      if (target.closest("[role=row]") && this.#context.panels.narrow) this.#context.panels.show("message");
    });
    document.addEventListener("keydown", (event) => this.#keyedAnywhere(event));
    const { settings } = this.#context;
    settings.on("times", () => this.#list.update());
    settings.on("foldEchoes", (fold) => this.search({ fold }));
    this.criteria.fold = settings.get("foldEchoes");
    new ResizeObserver(() => this.#measure()).observe(this.#grid);
  }

  // The height of a row is a token in rem, so it grows with the font of the reader.
  #measure() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.#list.height = parseFloat(getComputedStyle(this.#list.element).getPropertyValue("--row")) * rem;
    this.#list.update();
  }

  #attach(connection) {
    this.#off();
    this.#connection = connection;
    this.#marks = [];
    this.#undo = null;
    this.#isPaused = false;
    this.#seen = connection.log.endId;
    this.#rows.use(connection.log);
    const offs = [connection.on("rows", () => this.#arrived()), connection.on("state", () => this.#update())];
    this.#off = () => offs.forEach((off) => off());
    this.select(null);
    this.follow();
  }

  #arrived() {
    const { log } = this.#connection;
    if (log.length) this.#undo = null;
    this.#announce(log);
    const dropped = this.#rows.refresh();
    if (this.selected !== null && !log.get(this.selected)) this.select(null);
    this.#list.update(dropped);
    this.#update();
    this.emit("rows");
  }

  #announce(log) {
    const { announce, settings } = this.#context;
    const isQuiet = this.#connection.measurement?.running || !settings.get("announceMessages");
    let last = null;
    for (let id = Math.max(this.#seen, log.firstId); id < log.endId; id += 1) {
      const row = log.get(id);
      if (row.direction === "event") announce(row.event.text, { urgent: true });
      if (row.direction !== "received" || isQuiet) continue;
      this.#unspoken += 1;
      last = row;
    }
    this.#seen = log.endId;
    if (!last) return;
    announce(() => {
      const count = this.#unspoken;
      this.#unspoken = 0;
      const text = typeof last.payload === "string" ? last.payload.slice(0, 80) : "binary";
      return `${integer(count)} received, last: ${text || "empty"}`;
    });
  }

  #draw(row, id, index) {
    const data = this.#connection.log.get(id);
    if (!data) return;
    const mode = this.#context.settings.get("times");
    const shown = {
      index,
      time: timeText(data, mode, mode === "before" ? this.#timeBefore(index) : this.#connection.openedAt),
      isSelected: id === this.selected,
      isMarked: this.#marks.includes(id),
      isFolded: this.criteria.fold,
      needle: this.#rows.text.toLowerCase(),
    };
    row.draw(data, shown, () => this.#list.update());
  }

  #timeBefore(index) {
    return index ? (this.#connection.log.get(this.#rows.idAt(index - 1))?.time ?? NaN) : NaN;
  }

  #update() {
    const { log } = this.#connection;
    const { show } = this.criteria;
    const { problem, count } = this.#rows;
    const state = { show, problem, isPaused: this.#isPaused, isEmpty: !log.length, canUndo: this.#undo !== null };
    this.#tools.update(state);
    this.#grid.setAttribute("aria-rowcount", count + 1);
    this.#updateEmpty(log, count);
    this.#updateNewer(count);
    this.#updateNotes(log, count);
    this.#list.update();
  }

  #updateEmpty(log, count) {
    this.#empty.hidden = count > 0;
    if (log.length === 0) {
      const isConnected = this.#connection.state.name === "connected";
      const idle = "Nothing here yet. Connect, or send: that connects first.";
      setText(this.#empty, isConnected ? "Connected. What you send and what comes back appears here." : idle);
    } else if (count === 0) {
      const { typed } = this.criteria;
      const what = this.#rows.text ? `contains "${typed}"` : typed ? `matches ${typed}` : "is of this kind";
      const all = element("button", { onclick: () => this.search({ show: "all", typed: "" }) }, "Show all");
      this.#empty.replaceChildren(`No message ${what}. ${integer(log.length)} are hidden. `, all);
    }
  }

  #updateNewer(count) {
    const { waiting } = this.#rows;
    const newer = this.#list.isFollowing ? 0 : count - this.#rows.indexOf(this.#leftAt);
    this.#newer.hidden = !(this.#isPaused ? waiting : newer);
    setText(this.#newer, this.#isPaused ? `${integer(waiting)} new while paused` : `↓ ${integer(newer)} new`);
  }

  #showNewer() {
    if (this.#isPaused) this.pause();
    this.follow();
    this.#list.focus();
  }

  #updateNotes(log, count) {
    const notes = [];
    if (this.#rows.problem) notes.push(element("span.error", {}, this.#rows.problem));
    if (this.#rows.isLimited && count) notes.push(`${integer(count)} of ${integer(log.length)} shown`);
    if (log.dropped) {
      notes.push(`${integer(log.dropped)} older messages were dropped to save memory. Counts include them.`);
    }
    const [first, second] = this.#marks.map((id) => log.get(id)?.time).sort((a, b) => a - b);
    if (first !== undefined) {
      const between = second === undefined ? "One row is marked. Mark another with M" : duration(second - first);
      notes.push(second === undefined ? between : `◆ ${between} between the marked rows`);
    }
    const text = notes.map((note) => note.textContent ?? note).join();
    if (text === this.#notes.dataset.shown) return;
    this.#notes.dataset.shown = text;
    this.#notes.replaceChildren(...notes.map((note) => element("span", {}, note)));
  }

  #pick(id) {
    this.selected = id;
    this.#list.update();
    this.emit("select", id);
  }

  #keyed(event, id) {
    const row = id === null ? null : this.#connection.log.get(id);
    const act = {
      Enter: () => this.#open(id),
      Escape: () => this.select(null),
      " ": () => this.pause(),
      c: () => row && this.#copy(row),
      r: () => row && !row.event && this.#sendAgain(row),
      m: () => row && this.#mark(id),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #keyedAnywhere(event) {
    const { activeElement: focused } = document;
    const isFree = focused === document.body || focused === null || byId("log").contains(focused);
    if (event.key === "Escape" && !event.defaultPrevented && focused?.closest("#panel-message")) this.focus();
    if (event.key.toLowerCase() !== "f" || !(event.ctrlKey || event.metaKey) || event.shiftKey || !isFree) return;
    event.preventDefault();
    this.#tools.filter.focus();
    this.#tools.filter.select();
  }

  #open(id) {
    if (id === null) return;
    this.#pick(id);
    this.#context.panels.show("message");
    byId("panel-message").focus();
  }

  async #copy({ payload, event, kind }) {
    const isText = event || typeof payload === "string";
    const isLongText = !isText && payload instanceof Blob && (kind === "text" || kind === "json");
    const text = isText ? (event?.text ?? payload) : isLongText ? await payload.text() : await hex(payload);
    if (await copyText(text)) this.#context.announce(isText ? "Copied" : "Copied as hex", { urgent: true });
  }

  #sendAgain({ payload, kind }) {
    const isText = typeof payload === "string" || kind === "text" || kind === "json";
    this.#connection.send({ kind: isText ? "text" : "binary", data: payload });
    this.follow();
  }

  #mark(id) {
    const others = this.#marks.filter((marked) => marked !== id);
    this.#marks = others.length === this.#marks.length ? [...others.slice(-1), id] : others;
    this.#update();
  }
}

async function hex(payload) {
  const bytes = payload instanceof Blob ? new Uint8Array(await payload.arrayBuffer()) : payload;
  return toHex(bytes, " ");
}
