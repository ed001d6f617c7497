import { element, icon } from "./dom.js";

/**
 * A button that opens a list of buttons below it, or above it where there is no room.
 * @param {string} label of the button
 * @param {() => Array<{label: string, action?: () => void, checked?: boolean}|HTMLElement>} items read at each opening
 * @param {Object<string, any>} attributes of the button; with an "aria-label" the button shows only an icon
 * @returns {HTMLElement} the button and its menu, in one element
 */
export function menu(label, items, attributes = {}) {
  const list = element("div.menu", { popover: "auto" });
  const closed = { "aria-expanded": "false", "aria-haspopup": "true" };
  const button = element("button", { ...closed, ...attributes }, label, label && " ", icon(label ? "down" : "more"));
  button.popoverTargetElement = list;
  list.addEventListener("beforetoggle", ({ newState }) => {
    if (newState === "open") list.replaceChildren(...items().map((item) => entry(item, list)));
  });
  list.addEventListener("toggle", ({ newState }) => {
    button.setAttribute("aria-expanded", newState === "open");
    if (newState !== "open") return;
    place(list, button);
    list.querySelector("button, input")?.focus();
  });
  list.addEventListener("keydown", (event) => move(event, list));
  return element("span.menu-button", {}, button, list);
}

function entry(item, list) {
  if (item instanceof Node) return item;
  const button = element("button", {}, item.label);
  if (item.checked !== undefined) button.setAttribute("aria-pressed", item.checked);
  button.addEventListener("click", () => {
    list.hidePopover();
    item.action?.();
  });
  return button;
}

function place(list, button) {
  const anchor = button.getBoundingClientRect();
  const { width, height } = list.getBoundingClientRect();
  const lowest = innerHeight - height - 4;
  const top = anchor.bottom + 4 <= lowest || anchor.top < height ? anchor.bottom + 4 : anchor.top - height - 4;
  list.style.top = `${Math.max(4, Math.min(top, lowest))}px`;
  list.style.left = `${Math.max(4, Math.min(anchor.left, innerWidth - width - 4))}px`;
}

function move(event, list) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target.matches("input, textarea, select")) return;
  const buttons = [...list.querySelectorAll("button")];
  event.preventDefault();
  buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length]?.focus();
}
