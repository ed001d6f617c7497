import { element, icon } from "./dom.js";

/**
 * Open a modal dialog; Esc and its close button close it, and the focus returns to where it was.
 * @param {string} title
 * @param {...(Node|string)} content
 * @returns {HTMLDialogElement} removed from the page when it closes
 */
export function openDialog(title, ...content) {
  const heading = element("h2", { id: "dialog-title" }, title);
  const close = element("button.quiet", { "aria-label": "Close" }, icon("close"));
  const head = element("div.toolbar", {}, heading, close);
  const dialog = element("dialog", { "aria-labelledby": heading.id }, element("div.stack", {}, head, ...content));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
