import { LONGEST_REASON, maySend } from "../model/close-codes.js";
import { utf8Size } from "../model/utf8.js";
import { openDialog } from "./dialog.js";
import { element, setText } from "./dom.js";

/**
 * Ask for a close code and a reason, then close.
 * @param {import("./connection.js").Connection} connection
 */
export function openCloseDialog(connection) {
  const field = { autocomplete: "off", spellcheck: "false" };
  const code = element("input", { ...field, id: "close-code", type: "text", inputmode: "numeric", value: "4000" });
  const reason = element("input", { ...field, id: "close-reason", type: "text" });
  const size = element("span.muted.small");
  const problem = element("p.error", { role: "alert", hidden: true });
  const check = () => {
    const [text, bytes] = problemOf(code.value, reason.value);
    setText(size, `${bytes} of ${LONGEST_REASON} bytes`);
    setText(problem, text);
    problem.hidden = text === "";
    code.setAttribute("aria-invalid", !maySend(Number(code.value)));
    reason.setAttribute("aria-invalid", bytes > LONGEST_REASON);
    return text === "";
  };
  const form = element(
    "form.stack",
    { novalidate: true },
    element("label", { for: "close-code" }, "Code ", element("span.muted", {}, "(1000, or 3000 to 4999)")),
    code,
    element("label", { for: "close-reason" }, "Reason ", size),
    reason,
    problem,
    element("div.toolbar", {}, element("button.primary", { type: "submit" }, "Disconnect")),
  );
  const dialog = openDialog("Close with code", form);
  form.addEventListener("input", check);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!check()) return;
    dialog.close();
    connection.disconnect(Number(code.value), reason.value);
  });
  check();
  code.select();
}

function problemOf(code, reason) {
  const bytes = utf8Size(reason);
  if (!/^\d{1,5}$/.test(code.trim()) || !maySend(Number(code))) {
    return ["Browsers let a page send only the codes 1000 and 3000 to 4999.", bytes];
  }
  return [bytes > LONGEST_REASON ? `The reason is too long: a Close has room for ${LONGEST_REASON} bytes.` : "", bytes];
}
