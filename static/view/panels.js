import { byId, element } from "./dom.js";
import { Emitter } from "./events.js";

const ORDER = ["log", "message", "measure", "scenarios", "server", "code"];

/**
 * The tabs and the panels beside the log. On a narrow page the log is a tab too, and one of them is visible at a time.
 * Raises "show" with the id of the panel that is shown.
 */
export class Panels extends Emitter {
  #panels = new Map();
  #app = byId("app");
  #tabs = byId("tabs");

  constructor() {
    super();
    this.shown = null;
    this.#app.dataset.view = "log";
    this.#tabs.addEventListener("keydown", (event) => this.#move(event));
    this.#addTab("log", "Log", "left").classList.add("only-narrow");
    new ResizeObserver(() => this.#mark()).observe(this.#app);
  }

  /** Whether one panel covers the page: then the log can be hidden. */
  get narrow() {
    return getComputedStyle(this.#app).getPropertyValue("--layout") === "narrow";
  }

  /**
   * Add a panel. The first that is registered is shown; on a narrow page the log is.
   * @param {{id: string, title: string, element: HTMLElement, onShow?: () => void, onHide?: () => void}} panel
   */
  register(panel) {
    const tab = this.#addTab(panel.id, panel.title, `panel-${panel.id}`);
    if (panel.id === "message" || panel.id === "code") tab.classList.add("only-wide");
    const frame = element("div", {
      id: `panel-${panel.id}`,
      role: "tabpanel",
      "aria-labelledby": tab.id,
      tabindex: 0,
      hidden: true,
    });
    frame.append(panel.element);
    byId("panels").append(frame);
    this.#panels.set(panel.id, { ...panel, tab, frame });
    if (!this.shown) this.#open(panel.id);
    this.#mark();
  }

  /**
   * Show a panel, or on a narrow page the log.
   * @param {string} id of a panel, or "log"
   */
  show(id) {
    this.#app.dataset.view = id;
    if (id !== "log") this.#open(id);
    this.#mark();
    this.emit("show", id);
  }

  #open(id) {
    if (id === this.shown || !this.#panels.has(id)) return;
    const before = this.#panels.get(this.shown);
    if (before) before.frame.hidden = true;
    before?.onHide?.();
    this.shown = id;
    const after = this.#panels.get(id);
    after.frame.hidden = false;
    after.onShow?.();
  }

  #addTab(id, title, controls) {
    const tab = element("button", { id: `tab-${id}`, role: "tab", "aria-controls": controls }, title);
    tab.addEventListener("click", () => this.show(id));
    const rank = ORDER.indexOf(id);
    const next = [...this.#tabs.children].find((other) => ORDER.indexOf(other.id.slice(4)) > rank);
    this.#tabs.insertBefore(tab, next ?? null);
    return tab;
  }

  // A message covers the log on a narrow page: the tab of the log stays selected.
  #mark() {
    const covered = ["log", "message"].includes(this.#app.dataset.view);
    const selected = this.narrow ? (covered ? "log" : this.#app.dataset.view) : this.shown;
    for (const tab of this.#tabs.querySelectorAll("[role=tab]")) {
      const isSelected = tab.id === `tab-${selected}`;
      tab.setAttribute("aria-selected", isSelected);
      tab.tabIndex = isSelected ? 0 : -1;
    }
  }

  #move(event) {
    const tabs = [...this.#tabs.querySelectorAll("[role=tab]")].filter((tab) => tab.checkVisibility());
    const index = tabs.indexOf(event.target);
    const forward = getComputedStyle(this.#tabs).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const step = { [forward]: 1, [backward]: -1 }[event.key];
    if (index < 0 || !step) return;
    event.preventDefault();
    const tab = tabs[(index + step + tabs.length) % tabs.length];
    tab.click();
    tab.focus();
  }
}
