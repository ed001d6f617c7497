import { MAX_HEIGHT, visibleRows } from "../model/viewport.js";
import { element } from "./dom.js";

const ALL = 200; // lists up to this length are drawn whole, so that the browser's own search and selection see them

/** A scrolled list of rows of one height, of which only the visible ones exist. */
export class Rows {
  #draw;
  #count = 0;
  #height = 20;
  #drawn = "";
  #body = element("div.rows-body");
  #space = element("div.rows-space", {}, this.#body);

  /**
   * @param {string} label for screen readers
   * @param {(index: number) => HTMLElement} draw makes a row
   */
  constructor(label, draw) {
    this.#draw = draw;
    this.element = element("div.rows.wire", { tabindex: 0, role: "group", "aria-label": label }, this.#space);
    this.element.addEventListener("scroll", () => this.#show());
  }

  /**
   * Show other rows, or the same ones anew.
   * @param {number} count
   * @param {{height?: number, keep?: boolean}} options height of a row in px; whether the scroll position stays
   */
  set(count, { height = 20, keep = false } = {}) {
    this.#count = count;
    this.#height = height;
    this.#drawn = "";
    this.#space.style.height = `${Math.min(count * height, MAX_HEIGHT)}px`;
    this.element.style.setProperty("--height", `${height}px`);
    if (!keep) this.element.scrollTop = 0;
    this.#show();
  }

  /** Draw the visible rows again. */
  refresh() {
    this.#drawn = "";
    this.#show();
  }

  /** @param {number} index row to bring into view, with a few before it */
  reveal(index) {
    const { top, height } = this.#view();
    const wanted = index * this.#height;
    if (wanted < top || wanted + this.#height > top + height) this.#scroll(Math.max(0, wanted - 3 * this.#height));
    this.refresh();
  }

  // Above the limit of a browser the scroll bar stands for more rows than it has pixels.
  #view() {
    const { scrollTop, clientHeight } = this.element;
    const total = this.#count * this.#height;
    if (total <= MAX_HEIGHT) return { top: scrollTop, height: clientHeight, shift: 0 };
    const top = (scrollTop / (MAX_HEIGHT - clientHeight)) * (total - clientHeight);
    return { top, height: clientHeight, shift: scrollTop - top };
  }

  #scroll(top) {
    const total = this.#count * this.#height;
    const { clientHeight } = this.element;
    const ratio = total <= MAX_HEIGHT ? 1 : (MAX_HEIGHT - clientHeight) / (total - clientHeight);
    this.element.scrollTop = top * ratio;
  }

  #show() {
    const { top, height, shift } = this.#view();
    const all = { first: 0, end: this.#count };
    const some = visibleRows({ top, height: height || 400, row: this.#height, count: this.#count, extra: 10 });
    const { first, end } = this.#count <= ALL ? all : some;
    const drawn = `${first} ${end}`;
    if (drawn !== this.#drawn) {
      const rows = [];
      for (let index = first; index < end; index += 1) {
        const row = this.#draw(index);
        row.dataset.row = index;
        rows.push(row);
      }
      this.#body.replaceChildren(...rows);
      this.#drawn = drawn;
    }
    this.#body.style.transform = `translateY(${first * this.#height + shift}px)`;
  }
}

/**
 * How many characters of the font fit in a line of an element.
 * @param {HTMLElement} holder
 * @returns {number}
 */
export function columnsOf(holder) {
  const probe = element("span", { style: { position: "absolute", visibility: "hidden" } }, "0".repeat(50));
  holder.append(probe);
  const width = probe.getBoundingClientRect().width / 50;
  probe.remove();
  return Math.max(20, Math.floor((holder.clientWidth - 12) / (width || 8)));
}
