import { Following, reveal, visibleRows } from "../model/viewport.js";
import { element } from "./dom.js";
import { Emitter } from "./events.js";

const EXTRA = 4; // rows drawn above and below the view
const SETTLED = 200; // ms without drawing, after which the elements are put in order

/**
 * A list that has elements only for the rows in view. One row is active: it can have the focus, and its element stays
 * while it is out of view. Raises "follow" when following starts or ends, "key" with a keyboard event and the id of the
 * active row, "pick" with the id of a row that was clicked or reached with the keyboard.
 */
export class RowList extends Emitter {
  #source;
  #make;
  #draw;
  #rows = new Map(); // by id
  #free = [];
  #frame = 0;
  #order = 0;
  #wanted = null; // id of a row to bring into view
  #lost = 0; // px of dropped rows above the view
  #following = new Following();
  #spacer = element("div.spacer-block", { role: "presentation" });

  /**
   * @param {{count: number, idAt: (index: number) => number, indexOf: (id: number) => number,
   *   has: (id: number) => boolean}} source
   * @param {() => {element: HTMLElement}} make a row
   * @param {(row: Object, id: number, index: number) => void} draw a row that `make` made
   */
  constructor(source, make, draw) {
    super();
    this.#source = source;
    this.#make = make;
    this.#draw = draw;
    /** Id of the row that can have the focus, or null. */
    this.active = null;
    /** Height of a row in px. */
    this.height = 28;
    /** The element that scrolls. */
    this.element = element("div.log-rows", { role: "rowgroup", tabindex: 0 }, this.#spacer);
    this.element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#keyed(event));
    this.element.addEventListener("click", (event) => this.#clicked(event));
    this.element.addEventListener("focus", () => this.#focusRow());
    new ResizeObserver(() => this.update()).observe(this.element);
  }

  /** Whether the list stays at its end. */
  get isFollowing() {
    return this.#following.on;
  }

  /** @param {boolean} on */
  follow(on) {
    if (on !== this.#following.on) this.emit("follow", on);
    this.#following.on = on;
    this.update();
  }

  /**
   * Draw in the next frame.
   * @param {number} dropped rows that vanished at the start since the last time
   */
  update(dropped = 0) {
    this.#lost += dropped * this.height;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#drawFrame());
  }

  /**
   * Make a row active and bring it into view.
   * @param {number|null} id
   */
  activate(id) {
    this.active = this.#wanted = id;
    this.update();
  }

  /** Give the focus to the active row, or to the newest in view. */
  focus() {
    this.element.focus();
    this.#focusRow();
  }

  // Below the last row is as much space as lets the first row in view be a whole one at the end of the list.
  #view() {
    const { scrollTop: top, clientHeight: height } = this.element;
    const rows = this.#source.count * this.height;
    return { top, height, row: this.height, total: rows > height ? rows + (height % this.height) : rows };
  }

  #scrolled() {
    const before = this.#following.on;
    this.#following.scrolled(this.#view());
    if (before !== this.#following.on) this.emit("follow", this.#following.on);
    this.update();
  }

  // All reads of the layout come first.
  #drawFrame() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const view = this.#view();
    let top = Math.max(0, view.top - this.#lost);
    if (this.#wanted !== null) top = reveal({ ...view, top }, this.#source.indexOf(this.#wanted));
    if (this.#following.on) top = Math.max(0, view.total - view.height);
    this.#lost = 0;
    this.#wanted = null;
    this.#spacer.style.height = `${view.total}px`;
    if (top !== view.top) this.element.scrollTop = top;
    this.#following.placed({ ...view, top });
    this.#drawRows(visibleRows({ ...view, top, count: this.#source.count, extra: EXTRA }));
    clearTimeout(this.#order);
    this.#order = setTimeout(() => this.#putInOrder(), SETTLED);
  }

  #drawRows({ first, end }) {
    const needed = new Map();
    for (let index = first; index < end; index += 1) needed.set(this.#source.idAt(index), index);
    if (this.#source.has(this.active)) needed.set(this.active, this.#source.indexOf(this.active));
    else if (this.active !== null) this.#deactivate();
    for (const [id, row] of this.#rows) {
      if (needed.has(id)) continue;
      this.#rows.delete(id);
      this.#free.push(row);
    }
    for (const [id, index] of needed) {
      const row = this.#rows.get(id) ?? this.#take(id);
      row.element.style.transform = `translateY(${index * this.height}px)`;
      row.element.tabIndex = id === this.active ? 0 : -1;
      row.element.hidden = false;
      this.#draw(row, id, index);
    }
    for (const row of this.#free) row.element.hidden = true;
    this.element.tabIndex = this.#rows.has(this.active) ? -1 : 0;
  }

  #take(id) {
    const row = this.#free.pop() ?? this.#make();
    if (!row.element.isConnected) this.#spacer.append(row.element);
    this.#rows.set(id, row);
    return row;
  }

  // The row is gone. The list keeps the focus that its element had.
  #deactivate() {
    const row = this.#rows.get(this.active);
    if (row?.element.contains(document.activeElement)) this.element.focus({ preventScroll: true });
    this.active = null;
  }

  // Screen readers read elements in the order of the document. The focused one stays where it is: moving it would take
  // the focus from it.
  #putInOrder() {
    const inOrder = [...this.#rows].sort(([a], [b]) => a - b).map(([, row]) => row.element);
    const focused = inOrder.indexOf(document.activeElement);
    if (focused < 0) return this.#spacer.append(...inOrder);
    document.activeElement.before(...inOrder.slice(0, focused));
    this.#spacer.append(...inOrder.slice(focused + 1));
  }

  #idOf(target) {
    const line = target.closest("[role=row]");
    for (const [id, row] of this.#rows) if (row.element === line) return id;
    return null;
  }

  #clicked(event) {
    const id = this.#idOf(event.target);
    if (id === null || String(getSelection())) return;
    this.#pick(id);
    this.#rows.get(id).element.focus({ preventScroll: true });
  }

  #pick(id) {
    this.active = id;
    this.follow(false);
    this.emit("pick", id);
  }

  #focusRow() {
    if (!this.#source.count) return;
    if (!this.#source.has(this.active)) {
      const { top, height, row } = this.#view();
      const last = Math.min(this.#source.count, Math.floor((top + height) / row)) - 1;
      this.active = this.#source.idAt(Math.max(0, last));
    }
    this.#focusAfterDrawing();
  }

  #focusAfterDrawing() {
    this.#drawFrame();
    this.#rows.get(this.active)?.element.focus({ preventScroll: true });
  }

  #keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const { count } = this.#source;
    const index = this.#source.indexOf(this.active);
    const to = { ArrowUp: index - 1, ArrowDown: index + 1, PageUp: index - page, PageDown: index + page, Home: 0 };
    if (event.key === "End") {
      event.preventDefault();
      if (count) this.#pick(this.#source.idAt(count - 1));
      this.follow(true);
      this.#focusAfterDrawing();
    } else if (event.key in to && count && this.active !== null) {
      event.preventDefault();
      this.#pick(this.#source.idAt(Math.max(0, Math.min(to[event.key], count - 1))));
      this.#wanted = this.active;
      this.#focusAfterDrawing();
    } else {
      this.emit("key", event, this.active);
    }
  }
}
