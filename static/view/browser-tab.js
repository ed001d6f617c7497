import { integer } from "../model/format.js";

const INTERVAL = 1000;
const ICON = (fill) =>
  "data:image/svg+xml," +
  encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.5" fill="${fill}" ` +
      `stroke="#3d8fe0" stroke-width="3"/></svg>`,
  );
const ICONS = { open: ICON("#3d8fe0"), closed: ICON("none") };

/** Title and icon of the browser's tab: they show the active connection and change at most once a second. */
export class BrowserTab {
  #connections;
  #offs = [];
  #timer = 0;
  #link = document.querySelector("link[rel=icon]");

  /** @param {Object} context */
  constructor({ connections }) {
    this.#connections = connections;
    connections.on("active", () => this.#attach());
    this.#attach();
  }

  #attach() {
    this.#offs.forEach((off) => off());
    this.#offs = ["state", "counts"].map((name) => this.#connections.active.on(name, () => this.#later()));
    this.#draw();
  }

  #later() {
    this.#timer ||= setTimeout(() => this.#draw(), INTERVAL);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const { state, counts } = this.#connections.active;
    const isOpen = state.name === "connected";
    const title = isOpen ? `● ${integer(counts.received)} wsecho` : state.name === "failed" ? "✕ wsecho" : "wsecho";
    const icon = isOpen ? ICONS.open : ICONS.closed;
    if (document.title !== title) document.title = title;
    if (this.#link.getAttribute("href") !== icon) this.#link.href = icon;
  }
}
