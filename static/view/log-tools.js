import { SHOWN } from "../model/log-filter.js";
import { byId, element, setText } from "./dom.js";
import { menu } from "./menu.js";

/** The controls above the log. */
export class LogTools {
  /**
   * @param {import("./log-view.js").LogView} log
   * @param {() => void} exportLog
   */
  constructor(log, exportLog) {
    this.filter = element("input.filter", {
      type: "search",
      placeholder: "Filter: text or /expression/",
      "aria-label": "Filter: text or /expression/",
      spellcheck: "false",
      autocomplete: "off",
    });
    this.filter.addEventListener("input", () => log.search({ typed: this.filter.value }));
    this.filter.addEventListener("keydown", ({ key }) => key === "ArrowDown" && log.focus());
    const show = menu("All", () => choices(log), { "aria-label": "Show: All" });
    [this.show] = show.children;
    this.pause = element("button", { onclick: () => log.pause() }, "Pause");
    const clear = () => log.clear();
    this.clear = element("button.only-wide", { onclick: clear }, "Clear");
    const others = () => [{ label: "Export", action: exportLog }, { label: this.clear.textContent, action: clear }];
    const more = menu("", others, { "aria-label": "More" });
    more.classList.add("only-narrow");
    const exporting = element("button.only-wide", { onclick: exportLog }, "Export");
    byId("log-tools").append(this.filter, show, this.pause, exporting, this.clear, more);
  }

  /** @param {{show: string, isPaused: boolean, isEmpty: boolean, canUndo: boolean, problem: string}} state */
  update({ show, isPaused, isEmpty, canUndo, problem }) {
    setText(this.show.firstChild, SHOWN[show]);
    this.show.setAttribute("aria-label", `Show: ${SHOWN[show]}`);
    setText(this.pause, isPaused ? "Resume" : "Pause");
    this.pause.setAttribute("aria-pressed", isPaused);
    setText(this.clear, canUndo ? "Undo clear" : "Clear");
    this.clear.disabled = isEmpty && !canUndo;
    this.filter.setAttribute("aria-invalid", Boolean(problem));
  }
}

function choices(log) {
  const { show, fold } = log.criteria;
  const kinds = Object.entries(SHOWN).map(([name, label]) => ({
    label,
    checked: show === name,
    action: () => log.search({ show: name }),
  }));
  return [...kinds, { label: "Echoes folded into what was sent", checked: fold, action: () => log.fold(!fold) }];
}
