import { bytes, integer } from "../model/format.js";
import { formatted, readJson } from "../model/json-text.js";
import { converted, filled, generate, readPayload } from "../model/payload.js";
import { utf8Of, utf8Size } from "../model/utf8.js";
import { visibleRuns } from "../model/visible-text.js";
import { byId, element, setText } from "./dom.js";
import { menu } from "./menu.js";
import { SavedMessages } from "./saved-messages.js";
import { SentHistory } from "./sent-history.js";

const KINDS = { text: "Text", json: "JSON", hex: "Hex", base64: "Base64", file: "File", generate: "Generate" };
const FILLINGS = { counter: "counter", zeros: "zeros", random: "random", json: "JSON" };
const LONGEST_KEPT = 2 ** 18; // characters of a draft that survives a reload
const LONGEST_CHECKED = 2 ** 20; // characters of a text that is checked while it is typed
const LARGEST = 2 ** 30; // bytes of a generated payload
const NEW = { kind: "text", text: "", file: null, asText: false, size: 1024, filling: "counter", seed: 1 };

/** Where a message is written. Its kind decides the frame. Each connection has a draft of its own. */
export class Composer {
  #context;
  #draft = { ...NEW };
  #connection = null;
  #off = () => {};
  #sent = 0; // messages of this page, for {{n}}
  #history;
  #kinds = element("div.segmented", { role: "group", "aria-label": "Kind of message" });
  #kind; // text of the button that has the kinds on a narrow page
  #size = element("span.muted.composer-size", { id: "composer-size" });
  #problem = element("p.composer-problem.small", { id: "composer-problem" });
  #field = element("textarea", {
    rows: 2,
    "aria-label": "Message",
    "aria-describedby": "composer-size composer-problem",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    enterkeyhint: "send",
  });
  #other = element("div.composer-other", { hidden: true });
  #send = element("button.primary", { onclick: () => this.send() }, "Send");
  #picker = element("input", { type: "file", hidden: true, "aria-label": "File" });
  #fills = element("input", { type: "checkbox", checked: true });
  #fillsLabel = element("label.small", { hidden: true }, this.#fills, "Fill in {{n}} and {{time}}");
  #notice = element("p.notice", { role: "status", hidden: true });

  constructor(context) {
    this.#context = context;
    this.#history = new SentHistory(context.tab);
    this.saved = new SavedMessages(context.device, this);
    for (const [kind, label] of Object.entries(KINDS)) {
      this.#kinds.append(element("button", { "data-kind": kind, onclick: () => this.#choose(kind) }, label));
    }
    const more = menu("", () => this.#actions(), { "aria-label": "More to do with the message", class: "primary" });
    this.#kinds.classList.add("only-wide");
    const kinds = () => Object.entries(KINDS).map(([kind, label]) => ({
      label,
      checked: kind === this.#draft.kind,
      action: () => this.#choose(kind),
    }));
    const kindMenu = menu("Text", kinds);
    kindMenu.classList.add("only-narrow");
    this.#kind = kindMenu.querySelector("button").firstChild;
    const head = [this.#kinds, kindMenu, element("span.spacer"), this.saved.element, this.#size];
    byId("composer").append(
      this.#notice,
      element("div.toolbar.composer-head", {}, ...head),
      element("div.composer-line", {}, this.#field, this.#other, element("span.split", {}, this.#send, more)),
      this.#fillsLabel,
      this.#problem,
      this.#picker,
    );
    this.#listen();
    const kept = context.tab.get("draft");
    if (typeof kept?.text === "string" && kept.kind in KINDS) this.#draft = { ...NEW, ...kept, file: null };
    context.connections.active.draft ??= this.#draft;
    context.connections.on("active", () => this.#attach());
    this.#attach();
  }

  /** The draft with everything that its kind needs: `{kind, text, size, filling, seed, file, asText}`. */
  get current() {
    return this.#draft;
  }

  /** The draft, for what is saved: `{kind, text}`. */
  draft() {
    return { kind: this.#draft.kind, text: this.#draft.text };
  }

  /**
   * Replace the draft. Nothing is sent.
   * @param {{kind: "text" | "json" | "hex" | "base64", text: string}} draft
   */
  fill({ kind, text }) {
    Object.assign(this.#draft, { kind, text });
    this.#draw();
  }

  /**
   * Make a file the draft.
   * @param {File} file
   * @param {{asText?: boolean}} options
   */
  fillFile(file, { asText = false } = {}) {
    Object.assign(this.#draft, { kind: "file", file, asText });
    this.#draw();
  }

  /** Give the focus to the message. */
  focus() {
    (this.#field.hidden ? this.#send : this.#field).focus();
  }

  /** @param {string} text a sentence above the message, until it is sent or changed */
  notice(text) {
    this.#notice.hidden = !text;
    setText(this.#notice, text);
  }

  /**
   * What would be sent: `{kind, data, size, problem}`; `data` is a Blob for a file.
   * @returns {{kind: "text" | "binary", data: string | Uint8Array | Blob, size: number, problem: object | null}}
   */
  payload() {
    const { kind, text, file, size, filling, seed, asText } = this.#draft;
    if (kind === "generate") return generate({ size, filling, seed });
    if (kind !== "file") return readPayload(kind, text);
    if (!file) return { kind: "binary", data: new Uint8Array(0), size: 0, problem: { message: "No file is chosen." } };
    return { kind: asText ? "text" : "binary", data: file, size: file.size, problem: null };
  }

  /** Send the message, and connect first if there is no connection. */
  async send() {
    const payload = this.payload();
    const { kind, text } = this.#draft;
    if (payload.problem && payload.kind === "binary") {
      this.#say(payload.problem.message, "error");
      this.#context.announce(`Not sent. ${payload.problem.message}`, { urgent: true });
      if (kind === "file") this.#picker.click();
      else this.#field.setSelectionRange(payload.problem.index, payload.problem.index + 1);
      return;
    }
    let { data } = payload;
    this.#sent += 1;
    if (this.#fillsIn()) data = filled(data, { n: this.#sent, time: Date.now() });
    if (kind === "file" && payload.kind === "text") {
      data = utf8Of(new Uint8Array(await data.arrayBuffer()));
      if (data === null) return this.#say("The file is not valid UTF-8. It can be sent as binary.", "error");
    }
    this.#connection.send({ kind: payload.kind, data, ...(kind === "file" && { isFile: true }) });
    if (kind !== "file" && kind !== "generate") this.#history.add({ kind, text });
    this.notice("");
    this.#context.log.follow();
    if (document.activeElement === this.#field) this.#field.select();
    return undefined;
  }

  #fillsIn() {
    const { kind, text } = this.#draft;
    return this.#fills.checked && (kind === "text" || kind === "json") && /\{\{(?:n|time)\}\}/.test(text);
  }

  #attach() {
    this.#off();
    this.#connection = this.#context.connections.active;
    this.#connection.draft ??= { ...NEW };
    this.#draft = this.#connection.draft;
    this.#off = this.#connection.on("state", () => this.#drawButton());
    this.#draw();
  }

  #listen() {
    this.#field.addEventListener("input", () => {
      this.#draft.text = this.#field.value;
      this.#history.leave();
      this.notice("");
      this.#drawFacts();
    });
    this.#field.addEventListener("keydown", (event) => this.#keyed(event));
    this.#field.addEventListener("paste", (event) => this.#pasted(event));
    this.#picker.addEventListener("change", () => {
      const [file] = this.#picker.files;
      if (file) this.fillFile(file);
      this.#picker.value = "";
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      this.send();
    });
    this.#takeDrops(byId("left"));
  }

  // A field with many lines makes a browser slow.
  #pasted(event) {
    const text = event.clipboardData.getData("text/plain");
    if (text.length <= LONGEST_KEPT || this.#field.value || this.#draft.kind !== "text") return;
    event.preventDefault();
    this.fillFile(new File([text], "pasted text"), { asText: true });
  }

  #takeDrops(area) {
    const hasFile = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
    area.addEventListener("dragover", (event) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      area.classList.add("drop");
    });
    area.addEventListener("dragleave", ({ relatedTarget }) => {
      if (!area.contains(relatedTarget)) area.classList.remove("drop");
    });
    area.addEventListener("drop", (event) => {
      area.classList.remove("drop");
      if (!hasFile(event)) return;
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file) this.fillFile(file);
    });
    // A file dropped beside the area must not replace the page.
    const refuse = (event) => hasFile(event) && event.preventDefault();
    for (const name of ["dragover", "drop"]) addEventListener(name, refuse);
  }

  // While an input method composes a character, Enter confirms the character. Safari ends the composition before it
  // reports that Enter; only its keyCode, 229, differs from that of an ordinary Enter.
  #keyed(event) {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && !event.shiftKey) {
      if (this.#draft.kind !== "text" || matchMedia("(pointer: coarse)").matches) return;
      event.preventDefault();
      this.send();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.#walk(event);
  }

  #walk(event) {
    const { selectionStart, selectionEnd, value } = this.#field;
    const older = event.key === "ArrowUp";
    const atEdge = older ? selectionEnd === 0 : selectionStart === value.length;
    const isAll = selectionStart === 0 && selectionEnd === value.length;
    if (event.shiftKey || !(atEdge || isAll)) return;
    const entry = this.#history.move(older ? -1 : 1, this.draft());
    if (!entry) return;
    event.preventDefault();
    this.fill(entry);
    const caret = older ? 0 : this.#field.value.length;
    this.#field.setSelectionRange(caret, caret);
  }

  // The message stays the same where the new kind can say it.
  #choose(kind) {
    const { kind: before, text } = this.#draft;
    const isWritten = (name) => name !== "file" && name !== "generate";
    const isUseful = isWritten(before) && isWritten(kind) && before !== kind && text.length <= LONGEST_CHECKED;
    if (isUseful) this.#draft.text = converted(before, kind, text) ?? text;
    this.#draft.kind = kind;
    this.#draw();
    if (kind === "file" && !this.#draft.file) this.#picker.click();
  }

  #actions() {
    const items = [{ label: "Save message…", action: () => this.saved.save() }];
    const json = this.#draft.kind === "json" && readJson(this.#draft.text);
    if (json && !json.problem) {
      items.push({ label: "Format JSON", action: () => this.fill({ kind: "json", text: formatted(json) }) });
      items.push({ label: "Compact JSON", action: () => this.fill({ kind: "json", text: compact(json) }) });
    }
    items.push({ label: "Choose a file…", action: () => this.#picker.click() });
    items.push({ label: "Empty the message", action: () => this.fill({ kind: this.#draft.kind, text: "" }) });
    return items;
  }

  #draw() {
    const { kind, text } = this.#draft;
    for (const button of this.#kinds.children) button.setAttribute("aria-pressed", button.dataset.kind === kind);
    setText(this.#kind, KINDS[kind]);
    const isWritten = kind !== "file" && kind !== "generate";
    this.#field.hidden = !isWritten;
    this.#other.hidden = isWritten;
    if (isWritten && this.#field.value !== text) this.#field.value = text;
    this.#field.dir = kind === "hex" || kind === "base64" ? "ltr" : "auto";
    this.#field.placeholder = { hex: "00 01 ff", base64: "AAH/" }[kind] ?? "";
    if (!isWritten) this.#other.replaceChildren(...(kind === "file" ? this.#fileForm() : this.#generateForm()));
    this.#drawFacts();
    this.#drawButton();
  }

  #fileForm() {
    const { file, asText } = this.#draft;
    const onchange = ({ target }) => (this.#draft.asText = target.checked);
    const box = element("input", { type: "checkbox", checked: asText, onchange });
    return [
      element("button", { onclick: () => this.#picker.click() }, file ? "Another file" : "Choose a file"),
      element("bdi.file-name", {}, file ? file.name : "or drop one here"),
      file ? element("label", {}, box, "Send as text, if it is UTF-8") : "",
    ];
  }

  #generateForm() {
    const { size, filling, seed } = this.#draft;
    const number = (name, value, max, label) => {
      const field = element("input", { type: "number", min: 0, max, value, required: true });
      field.addEventListener("input", () => {
        if (field.checkValidity()) this.#change({ [name]: field.valueAsNumber });
        field.setAttribute("aria-invalid", !field.checkValidity());
      });
      return element("label.field", {}, label, field);
    };
    const options = Object.entries(FILLINGS).map(([value, label]) =>
      element("option", { value, selected: value === filling }, label),
    );
    const select = element("select", {}, ...options);
    const seedField = number("seed", seed, 2 ** 32 - 1, "Seed");
    seedField.hidden = filling !== "random";
    select.addEventListener("change", () => {
      this.#change({ filling: select.value });
      seedField.hidden = select.value !== "random";
    });
    return [number("size", size, LARGEST, "Bytes"), element("label.field", {}, "Filling", select), seedField];
  }

  #change(values) {
    Object.assign(this.#draft, values);
    this.#drawFacts();
  }

  #drawFacts() {
    const { kind, text, file, size: wanted } = this.#draft;
    this.#keep();
    this.#fillsLabel.hidden = !/\{\{(?:n|time)\}\}/.test(text) || (kind !== "text" && kind !== "json");
    if (kind === "file" || kind === "generate") {
      this.#say("");
      return this.#drawSize(kind === "generate" ? wanted : (file?.size ?? 0));
    }
    if (text.length > LONGEST_CHECKED && kind !== "text") {
      this.#say("Too long to check while typing. It is checked when it is sent.");
      return setText(this.#size, `${integer(text.length)} characters`);
    }
    const { size, problem } = kind === "text" ? { size: utf8Size(text), problem: null } : readPayload(kind, text);
    this.#drawSize(size);
    const isEmptyJson = kind === "json" && !text.trim();
    if (!problem || isEmptyJson) this.#say(hiddenIn(text));
    else if (kind === "json") this.#say(`${problem.message}. It can be sent as it is.`, "warning");
    else this.#say(problem.message, "error");
    return undefined;
  }

  #drawSize(size) {
    setText(this.#size, size >= 10000 ? `${bytes(size)} (${integer(size)} B)` : bytes(size));
  }

  #say(text, tone = "muted") {
    setText(this.#problem, text);
    this.#problem.className = `composer-problem small ${tone}`;
    this.#field.setAttribute("aria-invalid", tone === "error");
  }

  // A draft of another connection is kept with the connection. A token is never part of a draft.
  #keep() {
    const { file, ...kept } = this.#draft;
    if (kept.text.length <= LONGEST_KEPT) this.#context.tab.set("draft", kept);
  }

  #drawButton() {
    const { name } = this.#connection.state;
    setText(this.#send, name === "connected" || name === "connecting" ? "Send" : "Connect and send");
  }
}

// A field shows text as fonts do. What it hides is named below it.
function hiddenIn(text) {
  const chips = visibleRuns(text.slice(0, LONGEST_CHECKED), { breaks: false }).filter(({ chip }) => chip);
  const titles = [...new Set(chips.map(({ title }) => title))];
  if (!titles.length) return "";
  const more = titles.length > 3 ? ` and ${titles.length - 3} more` : "";
  return `Hidden in this text: ${titles.slice(0, 3).join("; ")}${more}.`;
}

function compact({ text, kinds, starts, ends }) {
  return kinds.map((_, at) => text.slice(starts[at], ends[at])).join("");
}
