import { element } from "./dom.js";
import { openDialog } from "./dialog.js";

const KEYS = [
  [["Enter"], "URL", "connect"],
  [["Enter", "Shift+Enter"], "message, Text", "send, new line"],
  [["Ctrl/⌘+Enter"], "anywhere", "send, connecting first if needed"],
  [["↑", "↓"], "message, caret at its very start or end", "older, newer sent message"],
  [["Ctrl/⌘+F"], "log, or nothing focused", "the filter; pressed again, the browser's own search"],
  [["↑", "↓", "PgUp", "PgDn", "Home", "End"], "log", "move; End follows again"],
  [["Enter", "Esc"], "log", "to the Message panel and back"],
  [["C", "R", "M", "Space"], "log row", "copy, send again, mark for the time between, pause"],
  [["←", "→"], "tabs, separator", "move"],
  [["Esc"], "dialog, menu, running load", "close, stop"],
];

/** Opens the list of keys. */
export function openKeys() {
  const rows = KEYS.map(([keys, where, does]) => {
    const names = keys.flatMap((key) => [element("kbd", {}, key), " "]);
    return element("tr", {}, element("td", {}, ...names), element("td", {}, where), element("td", {}, does));
  });
  const heads = ["Key", "Where", "Does"].map((head) => element("th", { scope: "col" }, head));
  const head = element("thead", {}, element("tr", {}, ...heads));
  openDialog("Keys", element("table", {}, head, element("tbody", {}, ...rows)));
}
