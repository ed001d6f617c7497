import { toBase64 } from "../model/base64.js";
import { bytes, clock, duration } from "../model/format.js";
import { toHex } from "../model/hex.js";
import { editable } from "../model/payload.js";
import { javascriptBytes, javascriptString, pythonBytes, pythonString } from "../model/snippets.js";
import { visibleRuns } from "../model/visible-text.js";
import { copyText, download } from "./clipboard.js";
import { element } from "./dom.js";
import { failureView } from "./failure-view.js";
import { firstView } from "./first-view.js";
import { DifferenceView, HexView } from "./hex-view.js";
import { JsonView } from "./json-view.js";
import { menu } from "./menu.js";
import { MessageContent } from "./message-content.js";
import { TextView, fontView, visibleNodes } from "./text-view.js";

const MODES = { formatted: "Formatted", raw: "Raw", hex: "Hex", difference: "Difference" };
const ECHOES = { same: "same as sent", waiting: "not back yet", lost: "lost", none: "not an echo" };
const PINNED = 250; // ms between two messages that a pinned panel shows
const EDITABLE = 2 ** 18; // bytes of a message that the composer's field takes; a longer one becomes its file

/** The panel that shows all of the selected message. */
export class MessagePanel {
  #context;
  #connection;
  #off = () => {};
  #row = null;
  #content = null;
  #mode = "formatted"; // as the reader chose it
  #asFonts = false;
  #isPinned = false;
  #timer = 0;
  #width = 0; // px, for which the view is laid out
  #details; // of the event that is shown
  #first;
  #facts = element("div.message-facts");
  #modes = element("div.segmented", { role: "group", "aria-label": "View" });
  #tools = element("div.toolbar.message-tools");
  #holder = element("div.message-body");
  #pin = element("button", { "aria-pressed": "false", onclick: () => this.#pinned(!this.#isPinned) }, "Pin newest");
  #views = { formatted: new JsonView(), raw: new TextView(), hex: new HexView(), difference: new DifferenceView() };
  element = element("div.message-panel");

  constructor(context) {
    this.#context = context;
    this.#first = firstView(context);
    context.panels.register({ id: "message", title: "Message", element: this.element });
    context.log.on("select", (id) => this.#selected(id));
    context.log.on("rows", () => this.#arrived());
    context.connections.on("active", () => this.#attach());
    new ResizeObserver(() => this.#resized()).observe(this.#holder);
    this.#attach();
  }

  #attach() {
    this.#off();
    this.#connection = this.#context.connections.active;
    this.#off = this.#connection.on("state", () => this.#row ?? this.#showNothing());
    this.#selected(this.#context.log.selected);
  }

  #selected(id) {
    if (id !== null && this.#isPinned) this.#pinned(false);
    this.#show(id === null ? null : this.#connection.log.get(id));
  }

  #pinned(on) {
    this.#isPinned = on;
    this.#pin.setAttribute("aria-pressed", on);
    if (on) this.#arrived();
  }

  // The echo of a message, and what is found out about a failure, arrive later than the row.
  #arrived() {
    if (this.#isPinned) {
      this.#timer ||= setTimeout(() => this.#showNewest(), PINNED);
    } else if (this.#row?.event) {
      if (this.#row.event.details !== this.#details) this.#showEvent(this.#row);
    } else if (this.#row?.direction === "sent") {
      const row = this.#connection.log.get(this.#row.id);
      if (row && row.echo?.state !== this.#row.echo?.state) this.#show(row);
    }
  }

  #showNewest() {
    this.#timer = 0;
    const { newest } = this.#context.log;
    if (this.#isPinned && newest !== null && newest !== this.#row?.id) this.#show(this.#connection.log.get(newest));
  }

  async #show(row) {
    this.#row = row;
    this.#content = null;
    if (!row) return this.#showNothing();
    if (row.event) return this.#showEvent(row);
    const content = await MessageContent.of(row);
    if (this.#row === row) this.#showContent(content);
  }

  #showNothing() {
    const { failure } = this.#connection.state;
    const title = () => element("h2", {}, "Could not connect");
    const shown = failure ? element("div.stack", {}, title(), failureView(failure.checks, failure.curl)) : this.#first;
    this.element.replaceChildren(shown);
  }

  #showEvent({ time, event }) {
    const facts = element("p.muted", {}, `${clock(time)} · event`);
    const text = element("p.event-text", { dir: "auto" }, ...visibleNodes(event.text));
    text.classList.add(event.tone);
    this.#details = event.details;
    this.element.replaceChildren(facts, text, failureView(event.details ?? [], event.command));
  }

  #showContent(content) {
    this.#content = content;
    this.#drawFacts();
    this.#drawActions();
    this.element.replaceChildren(this.#facts, this.#tools, this.#holder);
    this.#drawView();
  }

  #drawFacts() {
    const { direction, time, kind, size, roundTrip, echo } = this.#row;
    const isSent = direction === "sent";
    const arrow = element(`strong.${direction}`, {}, `${isSent ? "↑" : "↓"} ${direction}`);
    const exact = size >= 10000 ? `${bytes(size)} (${size} B)` : bytes(size);
    const name = !this.#content.isText ? "binary" : kind === "json" ? "JSON" : "text";
    const about = [clock(time), name, exact];
    const echoed = [];
    if (Number.isFinite(roundTrip)) echoed.push(`round trip ${duration(roundTrip)}`);
    if (echo) echoed.push(echo.state === "differs" ? `differs from byte ${echo.at}` : ECHOES[echo.state]);
    if (!this.#content.isText && this.#content.text !== null) echoed.push("also valid UTF-8");
    const tone = { differs: ".warning", lost: ".error" }[echo?.state] ?? ".muted";
    this.#facts.replaceChildren(
      element("p", {}, arrow, ` ${about.join(" · ")}`),
      element(`p${tone}`, {}, echoed.join(" · ") || " "),
      this.#pin,
    );
  }

  #available() {
    const { text, json } = this.#content;
    const modes = ["hex"];
    if (text !== null) modes.unshift("raw");
    if (json) modes.unshift("formatted");
    if (this.#pair()) modes.push("difference");
    return modes;
  }

  // The row that was sent and its echo, if the echo differs.
  #pair() {
    const { id, echo, direction } = this.#row;
    if (echo?.state !== "differs") return null;
    const { log } = this.#connection;
    if (direction === "received") return [log.get(echo.of), this.#row];
    for (let other = id + 1; other < Math.min(log.endId, id + 10000); other += 1) {
      const found = log.get(other);
      if (found?.direction === "received" && found.echo?.of === id) return [this.#row, found];
    }
    return null;
  }

  #drawActions() {
    const { isWhole, text, json } = this.#content;
    const copies = [
      ["As shown", () => this.#views[this.#shownMode()].shown],
      ["As text", ({ text: all }) => all],
      ["As hex", (all) => toHex(all.bytes, " ")],
      ["As base64", (all) => toBase64(all.bytes)],
      ["As JavaScript", (all) => (all.isText ? javascriptString(all.text) : javascriptBytes(all.bytes))],
      ["As Python", (all) => (all.isText ? pythonString(all.text) : pythonBytes(all.bytes))],
    ].filter(([label]) => label !== "As text" || text !== null);
    const items = copies.map(([label, take]) => ({ label, action: () => this.#copy(take) }));
    const levels = [1, 2, 3, 4].map((count) => ({ label: `To level ${count}`, action: () => this.#foldTo(count) }));
    levels.push({ label: "Unfold all", action: () => this.#foldTo(Infinity) });
    this.#tools.replaceChildren(
      this.#modes,
      element("span.spacer"),
      json && this.#shownMode() === "formatted" ? menu("Fold", () => levels) : "",
      menu("Copy", () => items),
      element("span.line-break"),
      element("button", { onclick: () => this.#download() }, "Download"),
      element("button", { onclick: () => this.#sendAgain() }, "Send again"),
      element("button", { onclick: () => this.#edit() }, "Edit and send"),
      isWhole ? "" : this.#wholeButton(),
      this.#fontSwitch(),
    );
  }

  #wholeButton() {
    const size = bytes(this.#row.size);
    return element("button", { onclick: () => this.#showWhole() }, `First 1 MiB. Show all ${size}`);
  }

  async #showWhole() {
    const row = this.#row;
    const content = await MessageContent.of(row, true);
    if (this.#row === row) this.#showContent(content);
  }

  #fontSwitch() {
    const { text } = this.#content;
    if (this.#shownMode() !== "raw" || !visibleRuns(text.slice(0, 65536), { breaks: false }).some(({ chip }) => chip)) {
      return "";
    }
    const onchange = ({ target }) => {
      this.#asFonts = target.checked;
      this.#drawView();
    };
    const box = element("input", { type: "checkbox", checked: this.#asFonts, onchange });
    return element("label", {}, box, "As fonts show it");
  }

  #shownMode() {
    const modes = this.#available();
    return modes.includes(this.#mode) ? this.#mode : modes[0];
  }

  #choose(mode) {
    this.#mode = mode;
    this.#drawActions();
    this.#drawView();
    this.#modes.querySelector("[aria-pressed=true]").focus();
  }

  #drawView() {
    this.#width = this.#holder.clientWidth;
    const shown = this.#shownMode();
    const buttons = this.#available().map((mode) =>
      element("button", { "aria-pressed": mode === shown, onclick: () => this.#choose(mode) }, MODES[mode]),
    );
    this.#modes.replaceChildren(...buttons);
    const view = this.#views[shown];
    if (shown === "raw" && this.#asFonts) return this.#holder.replaceChildren(fontView(this.#content.text));
    this.#holder.replaceChildren(view.element);
    if (shown === "formatted") view.show(this.#content.json);
    else if (shown === "raw") view.show(this.#content.text);
    else if (shown === "hex") view.show(this.#content.bytes);
    else this.#showDifference(view);
    return undefined;
  }

  async #showDifference(view) {
    const row = this.#row;
    const [sent, received] = await Promise.all(this.#pair().map((one) => MessageContent.of(one)));
    if (this.#row === row) view.show(sent.bytes, received.bytes, row.echo.at);
  }

  #resized() {
    const { clientWidth } = this.#holder;
    if (!this.#content || !clientWidth || clientWidth === this.#width) return;
    this.#width = clientWidth;
    this.#views[this.#shownMode()].layout({ keep: true });
  }

  #foldTo(levels) {
    this.#views.formatted.foldTo(levels);
  }

  #whole() {
    return this.#content.isWhole ? this.#content : MessageContent.of(this.#row, true);
  }

  async #copy(take) {
    if (await copyText(take(await this.#whole()))) this.#context.announce("Copied", { urgent: true });
  }

  #download() {
    const { id, payload } = this.#row;
    const { isText, json } = this.#content;
    const ending = json ? "json" : isText ? "txt" : "bin";
    download(`message-${id}.${ending}`, payload instanceof Blob ? payload : new Blob([payload]));
  }

  async #sendAgain() {
    const { isText, text, bytes: data } = await this.#whole();
    this.#connection.send(isText ? { kind: "text", data: text } : { kind: "binary", data });
    this.#context.log.follow();
  }

  async #edit() {
    const { composer, panels } = this.#context;
    const { isText, text, bytes: data } = await this.#whole();
    if (this.#row.size > EDITABLE) composer.fillFile(new File([data], `message-${this.#row.id}`), { asText: isText });
    else composer.fill(editable(isText ? text : data));
    if (panels.narrow) panels.show("log");
    composer.focus();
  }
}
