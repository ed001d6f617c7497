import { readPayload } from "../model/payload.js";
import { bytes } from "../model/format.js";
import { openDialog } from "./dialog.js";
import { element } from "./dom.js";
import { menu } from "./menu.js";

const MOST = 200;
const LONGEST = 65536; // characters of a message
const KINDS = ["text", "json", "hex", "base64"];

/** Messages that the reader has named, in an order of choice, kept on this device. */
export class SavedMessages {
  #device;
  #composer;

  /**
   * @param {import("./storage.js").Kept} device
   * @param {{fill: (draft: {kind: string, text: string}) => void, draft: () => {kind: string, text: string}}} composer
   */
  constructor(device, composer) {
    this.#device = device;
    this.#composer = composer;
    this.element = menu("Saved", () => this.#items());
  }

  /** @returns {{name: string, kind: string, text: string}[]} */
  get list() {
    const kept = this.#device.get("saved", []);
    return Array.isArray(kept) ? kept.filter(isMessage) : [];
  }

  /** @param {{name: string, kind: string, text: string}[]} messages to keep besides; equal ones are kept once */
  add(messages) {
    const key = ({ name, kind, text }) => JSON.stringify([name, kind, text]);
    const known = new Map([...this.list, ...messages].map((message) => [key(message), message]));
    return this.#keep([...known.values()]);
  }

  #keep(list) {
    return this.#device.set("saved", list.slice(0, MOST));
  }

  #items() {
    const messages = this.list.map((message) => ({
      label: message.name,
      action: () => this.#composer.fill({ kind: message.kind, text: message.text }),
    }));
    if (!messages.length) messages.push(element("p.muted.menu-note", {}, "No message is saved yet."));
    messages.push({ label: "Save message…", action: () => this.save() });
    if (this.list.length) messages.push({ label: "Order, rename, delete…", action: () => this.#manage() });
    return messages;
  }

  /** Ask for a name and keep what is in the composer. */
  save() {
    const { kind, text } = this.#composer.draft();
    if (!KINDS.includes(kind) || text.length > LONGEST) {
      const words = "Files, generated payloads and messages above 64 KiB are not saved.";
      openDialog("Save message", element("p", {}, words));
      return;
    }
    const value = text.replace(/\s+/g, " ").trim().slice(0, 40);
    const field = element("input", { value, maxlength: 80, id: "saved-name" });
    const problem = element("p.error", { role: "status" });
    const keep = (event) => {
      event.preventDefault();
      if (!this.add([{ name: field.value.trim() || "unnamed", kind, text }])) {
        problem.textContent = "The browser does not let this page keep anything.";
      } else dialog.close();
    };
    const label = element("label", { for: "saved-name" }, "Name");
    const buttons = element("div.toolbar", {}, element("button.primary", { type: "submit" }, "Save message"));
    const form = element("form.stack", { onsubmit: keep }, label, field, problem, buttons);
    const dialog = openDialog("Save message", form);
    field.select();
  }

  #manage() {
    const list = element("ol.saved-list");
    const draw = () => list.replaceChildren(...this.list.map((message, index) => this.#line(message, index, draw)));
    draw();
    openDialog("Saved messages", list);
  }

  #line(message, index, draw) {
    const change = (edit) => {
      const list = this.list;
      edit(list);
      this.#keep(list);
      draw();
    };
    const move = (to) => change((list) => list.splice(to, 0, ...list.splice(index, 1)));
    const rename = ({ target }) => {
      change((list) => (list[index].name = target.value.trim().slice(0, 80) || message.name));
    };
    const line = element(
      "li",
      { draggable: "true" },
      element("input", { value: message.name, "aria-label": `Name of message ${index + 1}`, onchange: rename }),
      element("span.muted.small", {}, `${message.kind} · ${bytes(readPayload(message.kind, message.text).size)}`),
      button("Move up", index === 0, () => move(index - 1), "↑"),
      button("Move down", index === this.list.length - 1, () => move(index + 1), "↓"),
      button("Delete", false, () => change((list) => list.splice(index, 1)), "×"),
    );
    line.addEventListener("dragstart", ({ dataTransfer }) => dataTransfer.setData("text/x-saved", String(index)));
    line.addEventListener("dragover", (event) => event.preventDefault());
    line.addEventListener("drop", (event) => {
      event.preventDefault();
      const from = Number(event.dataTransfer.getData("text/x-saved") || NaN);
      if (Number.isInteger(from)) change((list) => list.splice(index, 0, ...list.splice(from, 1)));
    });
    return line;
  }
}

function button(label, disabled, onclick, sign) {
  return element("button.quiet", { "aria-label": label, title: label, disabled, onclick }, sign);
}

function isMessage(message) {
  return typeof message?.name === "string" && typeof message.text === "string" && KINDS.includes(message.kind);
}
