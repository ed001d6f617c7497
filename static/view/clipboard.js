import { element } from "./dom.js";
import { openDialog } from "./dialog.js";

/**
 * Copy text. Pages that came over plain HTTP from another machine have no clipboard: then a dialog offers the text,
 * selected.
 * @param {string} text
 * @returns {Promise<boolean>} whether the clipboard has the text now
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    offer(text);
    return false;
  }
}

function offer(text) {
  const field = element("textarea", { rows: 8, readonly: true, value: text, "aria-label": "Text to copy" });
  const key = /Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘C" : "Ctrl+C";
  openDialog("Copy", element("p", {}, `The browser does not let this page copy. Press ${key}.`), field);
  field.focus();
  field.select();
}

/**
 * Offer a file for download.
 * @param {string} name
 * @param {Blob} blob
 */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
