import { integer } from "../model/format.js";
import { withoutSecrets } from "../model/address.js";
import { readTranscript, savedLine, transcriptHead, transcriptLine } from "../model/transcript.js";
import { download } from "./clipboard.js";
import { openDialog } from "./dialog.js";
import { element, setText } from "./dom.js";
import { MessageContent } from "./message-content.js";

const SLICE = 500; // rows that are written before the page gets a turn

/**
 * Ask what to export, and offer it for download; or read a transcript.
 * @param {object} context
 */
export function openExport(context) {
  const { log, connections, composer } = context;
  const all = rowIds(connections.active.log);
  const passing = log.passing();
  const choices = [{ name: "all", label: "Whole log", ids: all }];
  if (passing.length !== all.length) choices.push({ name: "passing", label: "What passes the filter", ids: passing });
  if (log.selected !== null) choices.push({ name: "selected", label: "The selected message", ids: [log.selected] });
  const fields = choices.map(({ name, label, ids }, index) => {
    const radio = element("input", { type: "radio", name: "what", value: name, checked: index === 0 });
    return element("label", {}, radio, `${label} (${integer(ids.length)} ${ids.length === 1 ? "row" : "rows"})`);
  });
  const saved = element("input", { type: "checkbox" });
  const savedLabel = element("label", {}, saved, `Saved messages too (${integer(composer.saved.list.length)})`);
  const status = element("p", { role: "status" });
  const write = async (event) => {
    event.preventDefault();
    const chosen = new FormData(event.target).get("what");
    const { ids } = choices.find(({ name }) => name === chosen);
    const blob = await written(context, ids, saved.checked ? composer.saved.list : [], (done) => {
      setText(status, `${integer(done)} of ${integer(ids.length)} rows`);
    });
    download(`wsecho-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jsonl`, blob);
    dialog.close();
  };
  const picker = element("input", { type: "file", accept: ".jsonl,.ndjson,application/jsonl", hidden: true });
  picker.setAttribute("aria-label", "Transcript");
  picker.addEventListener("change", async () => {
    const [file] = picker.files;
    if (!file) return;
    const problem = await opened(context, file);
    if (problem) setText(status, problem);
    else dialog.close();
  });
  const form = element(
    "form.stack",
    { onsubmit: write },
    element("p.muted", {}, "JSON Lines: a line for each message or event, with text or base64. It has no token."),
    element("fieldset.stack", {}, element("legend", {}, "Rows"), ...fields),
    composer.saved.list.length > 0 && savedLabel,
    status,
    element(
      "div.toolbar",
      {},
      element("button.primary", { type: "submit" }, "Export"),
      element("span.spacer"),
      element("button", { onclick: () => picker.click() }, "Open a transcript…"),
      picker,
    ),
  );
  const dialog = openDialog("Export", form);
}

function rowIds(store) {
  return Array.from({ length: store.length }, (_, index) => store.firstId + index);
}

async function written({ connections, facts }, ids, saved, progress) {
  const { active } = connections;
  const info = await facts;
  const head = {
    version: info?.server?.version ?? null,
    url: withoutSecrets(active.state.url || active.options.url),
    browser: navigator.userAgent,
    time: Date.now(),
    dropped: active.log.dropped,
    notKept: active.counts.notKept,
  };
  const parts = [`${transcriptHead(head)}\n`];
  const openedAt = Number.isNaN(active.openedAt) ? null : active.openedAt;
  for (let from = 0; from < ids.length; from += SLICE) {
    const lines = [];
    for (const id of ids.slice(from, from + SLICE)) {
      const row = active.log.get(id);
      if (row) lines.push(transcriptLine(await whole(row), openedAt));
    }
    parts.push(new Blob([lines.map((line) => `${line}\n`).join("")]));
    progress(Math.min(ids.length, from + SLICE));
    await new Promise((resolve) => setTimeout(resolve));
  }
  parts.push(saved.map((message) => `${savedLine(message)}\n`).join(""));
  return new Blob(parts, { type: "application/jsonl" });
}

async function whole(row) {
  if (row.event || !(row.payload instanceof Blob)) return row;
  const content = await MessageContent.of(row, true);
  return { ...row, payload: content.isText ? content.text : content.bytes };
}

/** Reads a transcript into a connection of its own, which is not connected. */
async function opened({ connections, composer, log }, file) {
  const { head, rows, saved, problem } = readTranscript(await file.text());
  if (!head) return problem.message;
  if (connections.isFull) return "Eight connections are open. Close one to read a transcript.";
  const connection = connections.open();
  for (const row of rows) connection.log.append(row);
  const saw = `${integer(rows.length)} ${rows.length === 1 ? "row" : "rows"}`;
  const text = `Read from ${file.name}: ${saw} of ${String(head.url).slice(0, 200)}. Nothing was sent.`;
  connection.note(problem ? "warning" : "info", problem ? `${text} ${problem.message}` : text);
  composer.saved.add(saved);
  log.focus();
  return "";
}
