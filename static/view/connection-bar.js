// Address, the one button, state and counts of the active connection.
import { addressName, isOwnServer, judgeAddress, readProtocols, withoutSecrets } from "../model/address.js";
import { duration, elapsed, integer } from "../model/format.js";
import { now } from "../line/clock.js";
import { openCloseDialog } from "./close-dialog.js";
import { extensionsInWords } from "./connection.js";
import { byId, element, icon, setText } from "./dom.js";

const MOST_ADDRESSES = 20;
const BUTTONS = { connecting: "Cancel", waiting: "Cancel", closing: "Cancel", connected: "Disconnect" };

/** The connection bar. It follows the active connection, and keeps what is typed with it. */
export class ConnectionBar {
  #context;
  #connection = null;
  #offs = [];
  #timer = 0;
  #isTyped = false;
  #goesTo = ""; // the address to connect to when the connection is closed

  /** @param {object} context of page.js */
  constructor(context) {
    this.#context = context;
    this.#build();
    this.#buildOptions();
    const summary = element("div.bar-facts", {}, this.facts, this.counts);
    byId("bar").append(element("form.bar-form", { novalidate: true }, this.line, this.problem, summary, this.options));
    this.form = byId("bar").firstElementChild;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.main.addEventListener("click", () => this.#act(false));
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || !event.target.matches("input") || hasCommand(event)) return;
      event.preventDefault();
      this.#act(true);
    });
    context.connections.on("active", () => this.#follow());
    this.#restore();
    this.#follow();
  }

  #build() {
    const field = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
    this.addresses = element("datalist", { id: "addresses" });
    this.url = element("input.bar-url.wire", {
      ...field, id: "url", type: "url", inputmode: "url", "aria-label": "URL", list: "addresses", enterkeyhint: "go",
      "aria-describedby": "url-problem",
    });
    this.url.addEventListener("input", () => this.#typed());
    this.main = element("button.primary");
    this.more = element("button", { "aria-label": "Close with code…", title: "Close with code…" }, icon("down"));
    this.more.addEventListener("click", () => openCloseDialog(this.#connection));
    this.now = element("button", { hidden: true, onclick: () => this.#connection.connect() }, "Now");
    this.short = element("button.quiet.bar-short.only-narrow", { onclick: () => this.#unfold() });
    this.word = element("span.bar-word");
    this.time = element("span");
    this.why = element("button.quiet", { hidden: true, onclick: () => this.#explain() }, "Why?");
    const actions = element("span.bar-actions", {}, this.main, this.more, this.now);
    const state = element("span.bar-state", {}, this.word, this.time);
    this.status = element("span.bar-status", {}, element("span.dot", { "aria-hidden": "true" }), state);
    this.line = element("div.bar-line", {}, this.short, this.url, this.addresses, actions, this.status, this.why);
    this.problem = element("p.bar-problem.error", { id: "url-problem", hidden: true });
  }

  #buildOptions() {
    const field = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
    this.toggle = element("button.quiet", { "aria-expanded": "false", "aria-controls": "bar-options" }, "Options ");
    this.toggle.append(icon("down"));
    this.toggle.addEventListener("click", () => this.#showOptions(this.options.hidden));
    this.described = element("span.bar-described");
    this.facts = element("div.bar-facts-text", {}, this.toggle, this.described);
    this.counts = element("span.bar-counts");
    this.sent = element("span.sent");
    this.received = element("span.received");
    this.counts.append(this.sent, this.received);
    this.protocols = element("input.wire", { ...field, id: "protocols", type: "text" });
    this.protocols.addEventListener("input", () => this.#readProtocols());
    this.protocolsProblem = element("span.error", { id: "protocols-problem", hidden: true });
    this.protocols.setAttribute("aria-describedby", "protocols-problem");
    this.token = element("input.wire", { ...field, id: "token", type: "password", autocomplete: "new-password" });
    this.token.addEventListener("input", () => this.#change({ token: this.token.value.trim() }));
    this.reconnect = element("input", { type: "checkbox" });
    this.reconnect.addEventListener("change", () => {
      this.#change({ reconnect: this.reconnect.checked });
      this.#keep();
    });
    this.options = element(
      "div.bar-options",
      { id: "bar-options", hidden: true },
      labelled("protocols", "Subprotocols", "in order, separated by commas", this.protocols, this.protocolsProblem),
      labelled("token", "Token", "sent as a subprotocol, kept nowhere", this.token),
      element("label.bar-reconnect", {}, this.reconnect, "Reconnect when the connection ends"),
    );
  }

  // The active connection

  #follow() {
    this.#offs.forEach((off) => off());
    this.#connection = this.#context.connections.active;
    const draws = {
      state: () => this.#changed(),
      counts: () => this.#drawCounts(),
      options: () => this.#isTyped || this.#fill(),
    };
    this.#offs = Object.entries(draws).map(([name, draw]) => this.#connection.on(name, draw));
    this.#goesTo = "";
    this.#fill();
    this.#changed();
    this.#drawCounts();
  }

  #fill() {
    const { url, protocols, token, reconnect } = this.#connection.options;
    this.url.value = url;
    this.protocols.value = protocols.join(", ");
    this.token.value = token;
    this.reconnect.checked = reconnect;
    this.#say("", "");
    this.#readProtocols();
    this.#drawShort();
  }

  /**
   * Fill in an address and subprotocols, without connecting.
   * @param {{url?: string, protocols?: string[]}} values
   */
  fill(values) {
    this.#connection.options = { ...this.#connection.options, ...values };
    this.#unfold();
  }

  // What is typed is not filled in again.
  #change(values) {
    this.#isTyped = true;
    this.#connection.options = { ...this.#connection.options, ...values };
    this.#isTyped = false;
  }

  #typed() {
    this.#change({ url: this.url.value });
    if (!this.problem.hidden) this.#say("", "");
  }

  #readProtocols() {
    const { protocols, problem } = readProtocols(this.protocols.value);
    this.protocolsProblem.hidden = problem === "";
    setText(this.protocolsProblem, problem);
    this.protocols.setAttribute("aria-invalid", problem !== "");
    if (!problem) this.#change({ protocols });
    return problem === "";
  }

  // The one button; Enter in a field connects, to another address too.
  #act(isByEnter) {
    const { name, url } = this.#connection.state;
    const isElsewhere = withoutSecrets(this.url.value.trim()) !== url;
    if (!BUTTONS[name]) this.#connect();
    else if (name === "connected" && isByEnter) {
      if (!isElsewhere || !this.#judge()) return;
      this.#goesTo = this.url.value;
      this.#connection.disconnect();
    } else if (name === "connected") this.#connection.disconnect();
    else if (!isByEnter) this.#connection.cancel();
  }

  #connect() {
    if (!this.#readProtocols()) {
      this.#showOptions(true);
      this.protocols.focus();
      return;
    }
    if (!this.#judge()) {
      this.url.focus();
      return;
    }
    this.#keep();
    this.#connection.connect();
  }

  // The row of the failure has what was found out.
  #explain() {
    const { panels, log } = this.#context;
    log.select(this.#connection.state.failure.row);
    panels.show("message");
  }

  #judge() {
    const { problem, offer } = judgeAddress(this.url.value, this.#context.server.page);
    this.#say(problem, offer);
    return problem === "";
  }

  #say(problem, offer) {
    this.problem.hidden = problem === "";
    this.url.setAttribute("aria-invalid", problem !== "");
    const use = () => {
      this.url.value = offer;
      this.#typed();
      this.url.focus();
    };
    this.problem.replaceChildren(problem, " ", offer ? element("button.wire", { onclick: use }, `Use ${offer}`) : "");
  }

  // Drawing

  #changed() {
    const { name, failure, close } = this.#connection.state;
    if (this.#goesTo && ["closed", "idle", "failed"].includes(name)) {
      this.#goesTo = "";
      this.#connect();
      return;
    }
    this.#context.panels.narrow && name === "connected" ? this.#fold() : !BUTTONS[name] && this.#unfold();
    setText(this.main, BUTTONS[name] ?? "Connect");
    this.more.hidden = name !== "connected";
    this.now.hidden = name !== "waiting";
    this.why.hidden = !failure;
    const isBad = failure || (close && !close.clean);
    this.status.dataset.state = isBad && name === "closed" ? "failed" : name;
    this.#drawFacts();
    this.#drawShort();
    this.#tick();
  }

  // The time since the state began.
  #tick() {
    clearTimeout(this.#timer);
    const { state } = this.#connection;
    const passed = Math.max(0, now() - state.since);
    const [word, time] = stateInWords(state, passed);
    setText(this.word, word);
    setText(this.time, time);
    const isFast = state.name === "connecting";
    if (isFast || state.name === "waiting") this.#timer = setTimeout(() => this.#tick(), 100);
    else if (state.name === "connected") this.#timer = setTimeout(() => this.#tick(), 1000 - (passed % 1000) + 5);
  }

  async #drawFacts() {
    const connection = this.#connection;
    const { server, facts: info } = this.#context;
    const seen = isOwnServer(connection.state.url, server.page) ? (await info)?.client?.[0] : "";
    const { state } = connection;
    if (connection !== this.#connection) return;
    const isOpen = ["connected", "closing"].includes(state.name);
    const facts = [
      state.protocol,
      state.extensions && extensionsInWords(state.extensions),
      `opened in ${duration(state.openedIn)}`,
      seen && `seen as ${seen}`,
    ];
    setText(this.described, isOpen ? facts.filter(Boolean).join(" · ") : "");
  }

  #drawCounts() {
    const { sent, received, lost, differs } = this.#connection.counts;
    setText(this.sent, `↑ ${integer(sent)}`);
    setText(this.received, `↓ ${integer(received)}`);
    const faults = [lost && `${integer(lost)} lost`, differs && `${integer(differs)} differ`].filter(Boolean);
    const words = [`${integer(sent)} sent`, `${integer(received)} received`, ...faults];
    this.counts.setAttribute("role", "img");
    this.counts.setAttribute("aria-label", words.join(", "));
    this.counts.title = faults.join(", ");
  }

  #drawShort() {
    setText(this.short, addressName(this.#connection.options.url, this.#context.server.page));
    this.short.setAttribute("aria-label", `${this.short.textContent}: URL and options`);
  }

  #showOptions(isShown) {
    this.options.hidden = !isShown;
    this.toggle.setAttribute("aria-expanded", isShown);
  }

  #fold() {
    this.form.dataset.folded = "";
    this.#showOptions(false);
  }

  #unfold() {
    delete this.form.dataset.folded;
  }

  // What is kept: addresses without secrets; never a token.

  #keep() {
    const { url, protocols, reconnect } = this.#connection.options;
    const kept = withoutSecrets(url);
    if (!kept) return;
    const { device, tab } = this.#context;
    const before = addressesOf(device).filter((address) => address !== kept);
    device.set("addresses", [kept, ...before].slice(0, MOST_ADDRESSES));
    tab.set("connection", { url: kept, protocols, reconnect });
    this.#drawAddresses();
  }

  #restore() {
    const { url, protocols, reconnect } = this.#context.tab.get("connection", {});
    const { options } = this.#context.connections.active;
    if (typeof url === "string") options.url = url;
    if (Array.isArray(protocols)) options.protocols = protocols.filter((name) => typeof name === "string");
    if (reconnect === true) options.reconnect = true;
    this.#drawAddresses();
  }

  #drawAddresses() {
    this.addresses.replaceChildren(...addressesOf(this.#context.device).map((value) => element("option", { value })));
  }
}

const hasCommand = ({ ctrlKey, metaKey, altKey }) => ctrlKey || metaKey || altKey;

function addressesOf(device) {
  const kept = device.get("addresses", []);
  return Array.isArray(kept) ? kept.filter((address) => typeof address === "string") : [];
}

function labelled(id, label, hint, ...controls) {
  const words = element("label", { for: id }, label, " ", element("span.muted", {}, `(${hint})`));
  return element("div.bar-option", {}, words, ...controls);
}

/**
 * @param {object} state of a connection
 * @param {number} passed ms since it began
 * @returns {[string, string]} a word, and a number that changes
 */
function stateInWords({ name, close, retry }, passed) {
  switch (name) {
    case "connecting":
      return ["Connecting ", `${(passed / 1000).toFixed(1)} s`];
    case "connected":
      return ["Connected ", elapsed(passed)];
    case "closing":
      return ["Closing", ""];
    case "closed":
      return ["Closed ", String(close.code)];
    case "failed":
      return ["Failed", ""];
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((retry.at - now()) / 1000));
      return ["Reconnecting ", `in ${seconds} s (${ordinal(retry.attempt)} try)`];
    }
    default:
      return ["Not connected", ""];
  }
}

function ordinal(number) {
  const ending = new Intl.PluralRules("en", { type: "ordinal" }).select(number);
  return `${number}${{ one: "st", two: "nd", few: "rd", other: "th" }[ending]}`;
}
