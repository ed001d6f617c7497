import { copyText } from "./clipboard.js";
import { element } from "./dom.js";

const SIGNS = { good: "✓", warning: "!", error: "×" };

/**
 * What could be found out about a connection that failed.
 * @param {{text: string, tone: string}[]} checks
 * @param {string} [command] for a shell
 * @returns {HTMLElement} empty if nothing is known
 */
export function failureView(checks, command) {
  const items = checks.map(({ text, tone }) => {
    const sign = element(`span.${tone}`, { "aria-hidden": "true" }, SIGNS[tone] ?? "·");
    return element("li", {}, sign, element("span", {}, text));
  });
  const shown = element("div.stack.failure");
  if (items.length) shown.append(element("ul.checks", {}, ...items));
  if (!command) return shown;
  shown.append(
    element("p.muted", {}, "This command shows the server's actual answer:"),
    element("pre.code", { tabindex: 0 }, command),
    element("div.toolbar", {}, element("button", { onclick: () => copyText(command) }, "Copy")),
  );
  return shown;
}
