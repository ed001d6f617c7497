import { linkFragment, readFragment } from "../model/share.js";
import { copyText } from "./clipboard.js";
import { openDialog } from "./dialog.js";
import { element, setText } from "./dom.js";

const LEFT_OUT = {
  message: "The message is left out: the link would be longer than 8 KB.",
  secrets: "User info and values that look like secrets are left out.",
  file: "Files and generated payloads are not part of a link.",
};

/**
 * Ask what a link contains, and copy it.
 * @param {object} context
 */
export function openLinkDialog(context) {
  const { connections, composer, panels, server } = context;
  const { url, protocols } = connections.active.options;
  const { kind, text } = composer.draft();
  const isWritten = kind !== "file" && kind !== "generate";
  const tick = (label, checked, disabled = false) => {
    const box = element("input", { type: "checkbox", checked, disabled, onchange: () => draw() });
    return { box, label: element("label", {}, box, label) };
  };
  const message = tick("Message", isWritten && text !== "", !isWritten || text === "");
  const subprotocols = tick("Subprotocols", protocols.length > 0, protocols.length === 0);
  const panel = tick(`The panel that is shown (${panels.shown})`, false);
  const field = element("textarea.wire", { rows: 4, readonly: true, "aria-label": "Link" });
  const note = element("p.muted", { role: "status" });
  const draw = () => {
    const { fragment, leftOut } = linkFragment(
      {
        url,
        sub: subprotocols.box.checked ? protocols : [],
        panel: panel.box.checked ? panels.shown : "",
        scenario: panel.box.checked && panels.shown === "scenarios" ? context.scenarios.shown : "",
        as: kind,
        send: message.box.checked ? text : "",
      },
      server.page.href,
    );
    field.value = server.page.href + fragment;
    const reasons = isWritten ? leftOut : [...leftOut, "file"];
    setText(note, reasons.map((reason) => LEFT_OUT[reason]).join(" "));
  };
  draw();
  const copy = async () => {
    dialog.close();
    if (await copyText(field.value)) context.announce("The link was copied", { urgent: true });
  };
  const dialog = openDialog(
    "Copy link",
    element("p.muted", {}, "The link fills in this page for whoever opens it. It never connects, and has no token."),
    element("div.toolbar", {}, message.label, subprotocols.label, panel.label),
    field,
    note,
    element("div.toolbar", {}, element("button.primary", { onclick: copy }, "Copy link")),
  );
}

/**
 * Fill in the page from the fragment of its address. Nothing is connected, sent or stored.
 * @param {object} context
 */
export function openLink(context) {
  const { connections, composer, panels, server, tab } = context;
  const { hash } = location;
  // After a reload the draft is newer than the link.
  if (hash.length < 2 || tab.get("link") === hash) return;
  const { fields, problems } = readFragment(hash, server.page.href);
  if (hash.length < 10000) tab.set("link", hash);
  const filled = [];
  if (fields.url) filled.push("the URL");
  if (fields.sub?.length) filled.push("subprotocols");
  if (fields.url || fields.sub) fillOptions(connections, fields);
  if (fields.send !== undefined) {
    composer.fill({ kind: fields.as, text: fields.send });
    filled.push("a message");
  }
  if (fields.scenario) context.scenarios?.open?.(fields.scenario);
  if (fields.panel ?? (fields.scenario && "scenarios")) panels.show(fields.panel ?? "scenarios");
  const what = filled.length ? `This link filled in ${listed(filled)}. Nothing was sent.` : "Nothing was sent.";
  composer.notice([what, ...problems].join(" "));
}

// A connection that is open keeps its address: the link gets a connection of its own.
function fillOptions(connections, { url, sub }) {
  const isBusy = !["idle", "closed", "failed"].includes(connections.active.state.name);
  const connection = isBusy ? connections.open() : connections.active;
  if (url) connection.options.url = url;
  if (sub) connection.options.protocols = sub;
  connection.emit("options");
}

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
