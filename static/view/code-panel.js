import { LANGUAGES, snippet } from "../model/snippets.js";
import { copyText, download } from "./clipboard.js";
import { element, setText } from "./dom.js";

const LONGEST = 2 ** 20; // bytes of a message up to which the code is written while it is typed

/** The panel with code for the address, the options and the message of the active connection. */
export class CodePanel {
  #context;
  #language;
  #isShown = false;
  #code = element("pre.code", { tabindex: 0, "aria-label": "Code" });
  #choices = element("div.segmented", { role: "group", "aria-label": "Language" });
  #note = element("p.muted");

  constructor(context) {
    this.#context = context;
    const kept = context.settings.get("language");
    this.#language = Object.hasOwn(LANGUAGES, kept ?? "") ? kept : "javascript";
    for (const [id, { name }] of Object.entries(LANGUAGES)) {
      this.#choices.append(element("button", { "data-language": id, onclick: () => this.#choose(id) }, name));
    }
    const copy = element("button", { onclick: () => this.#copy() }, "Copy");
    const save = element("button", { onclick: () => this.#download() }, "Download");
    const tools = element("div.toolbar", {}, this.#choices, element("span.line-break"), copy, save);
    context.panels.register({
      id: "code",
      title: "Code",
      element: element("div.stack.code-panel", {}, tools, this.#note, this.#code),
      onShow: () => this.#show(true),
      onHide: () => this.#show(false),
    });
    context.connections.on("active", () => this.#draw());
    for (const name of ["input", "change", "click"]) {
      document.addEventListener(name, () => queueMicrotask(() => this.#draw()));
    }
  }

  #show(isShown) {
    this.#isShown = isShown;
    this.#draw();
  }

  #choose(id) {
    this.#language = id;
    this.#context.settings.set("language", id);
    this.#draw();
  }

  #draw() {
    if (!this.#isShown) return;
    for (const button of this.#choices.children) {
      button.setAttribute("aria-pressed", button.dataset.language === this.#language);
    }
    const { url, protocols, token } = this.#context.connections.active.options;
    const { data, isLong } = this.#message();
    setText(this.#code, snippet(this.#language, { url, protocols, token: Boolean(token), data }));
    const about = this.#language === "curl" ? "The handshake, so that a refusal becomes visible." : "";
    const large = isLong ? "Files and messages above 1 MiB are not part of the code; an empty message is." : "";
    const secret = token ? "The token is a variable: export TOKEN first." : "";
    setText(this.#note, [about, large, secret].filter(Boolean).join(" "));
    this.#note.hidden = !this.#note.textContent;
  }

  #message() {
    const { kind, text, size } = this.#context.composer.current;
    if (kind === "file" || (kind === "generate" ? size : text.length) > LONGEST) return { data: "", isLong: true };
    return { data: this.#context.composer.payload().data, isLong: false };
  }

  async #copy() {
    if (await copyText(this.#code.textContent)) this.#context.announce("Copied", { urgent: true });
  }

  #download() {
    download(LANGUAGES[this.#language].file, new Blob([this.#code.textContent], { type: "text/plain" }));
  }
}
