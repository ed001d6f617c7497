// All scenarios of the catalogue, with the last verdict of each.
import { plan } from "../model/act.js";
import { Catalogue, url as writeUrl } from "../model/scenario.js";
import { VERDICTS, asJson, asMarkdown, browserName, judge, summary } from "../model/verdict.js";
import { copyText } from "./clipboard.js";
import { element, setText } from "./dom.js";
import { menu } from "./menu.js";
import { ScenarioForm, badge } from "./scenario-form.js";
import { Trials } from "./trials.js";

// Seconds above which a row is slow: a browser waits so long for a Close frame or for the answer to a handshake.
const SLOW = 20;
const SHORT = { ...VERDICTS, invisible: "Not visible" };

/** The Scenarios panel. */
export class ScenarioPanel {
  #context;
  #trials;
  #catalogue = null;
  #loading = null;
  #results = new Map(); // by row: {verdict, rows, run, reason}
  #items = new Map(); // by row: {item, button, mark, form}
  #groups = [];
  #opened = null;
  #isRunning = false;

  /** @param {object} context of page.js */
  constructor(context) {
    this.#context = context;
    this.#trials = new Trials(context);
    const searching = { type: "search", "aria-label": "Search scenarios", placeholder: "Search", maxlength: 200 };
    this.search = element("input", searching);
    this.filter = element("select", { "aria-label": "Verdict" });
    this.runAll = element("button", {}, "Run all");
    this.summary = element("p", { role: "status" }, "");
    this.slow = element("input", { type: "checkbox" });
    this.progress = element("progress", { hidden: true, "aria-label": "Scenarios run" });
    this.list = element("div.scenarios");
    const copies = menu("Copy", () => [
      { label: "As Markdown", action: () => this.#copy(asMarkdown) },
      { label: "As JSON", action: () => this.#copy(asJson) },
    ]);
    const tools = element("div.toolbar", {}, this.search, this.filter);
    const slow = element("label", {}, this.slow, "with slow ones (10 min)");
    const runs = element("div.toolbar", {}, this.runAll, slow, element("span.spacer"), copies);
    this.element = element("div.stack.scenario-panel", {}, tools, runs, this.progress, this.summary, this.list);
    this.search.addEventListener("input", () => this.#show());
    this.filter.addEventListener("change", () => this.#show());
    this.runAll.addEventListener("click", () => (this.#isRunning ? this.#trials.stop() : this.#runAll()));
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isRunning) this.#trials.stop();
    });
    context.panels.register({ id: "scenarios", title: "Scenarios", element: this.element, onShow: () => this.#load() });
  }

  /** The URL of the opened scenario, path and query; empty if none is opened. */
  get shown() {
    return this.#items.get(this.#opened)?.form?.url ?? "";
  }

  /**
   * Show a scenario with its form. Nothing is run.
   * @param {string} url path and query; its row is the one that has the same steps
   */
  async open(url) {
    this.#context.panels.show("scenarios");
    await this.#load();
    if (!this.#groups.length) return;
    const form = this.#catalogue.form(url.startsWith("/ws") ? url : `/ws/${url}`);
    const names = (each) => each.steps.map(({ name }) => name).join(" ");
    const rows = this.#catalogue.rows;
    const row = rows.find((each) => each.url === writeUrl(form)) ??
      rows.find((each) => names(this.#catalogue.form(each.url)) === names(form));
    if (!row) return;
    this.search.value = "";
    this.filter.value = "";
    this.#groups.find(({ letter }) => letter === row.group).details.open = true;
    this.#openRow(row);
    this.#items.get(row).form.fill(form);
    this.#items.get(row).item.scrollIntoView({ block: "start" });
  }

  // Once; after a failure again, when it is asked for.
  #load() {
    this.#loading ??= this.#loadOnce().finally(() => {
      if (!this.#groups.length) this.#loading = null;
    });
    return this.#loading;
  }

  async #loadOnce() {
    setText(this.summary, "Reading the catalogue");
    const problem = await this.#read();
    if (problem) return setText(this.summary, problem);
    for (const row of this.#catalogue.rows) this.#results.set(row, { ...judge(row.browser, null), reason: "" });
    this.#build();
    this.#show();
  }

  async #read() {
    try {
      const response = await this.#trials.fetch("scenarios.json");
      if (response.status === 404) return "Scenarios are off on this server.";
      if (response.status === 401) return "Scenarios want a token. It is taken from the token field of the connection.";
      if (!response.ok) return `The catalogue cannot be read: status ${response.status}.`;
      this.#catalogue = new Catalogue(await response.json());
      return this.#catalogue.rows.length ? "" : "The catalogue is empty.";
    } catch {
      return "The catalogue cannot be read: the server does not answer, or not with JSON.";
    }
  }

  #build() {
    const rows = Map.groupBy(this.#catalogue.rows, ({ group }) => group);
    const names = new Map(this.#catalogue.groups);
    this.#groups = [...rows].map(([letter, members]) => {
      const counts = element("span.muted");
      const list = element("ul.plain");
      const title = element("summary", {}, element("strong", {}, names.get(letter) || "Other"), " ", counts);
      const details = element("details", {}, title, list);
      details.addEventListener("toggle", () => this.#show());
      return { letter, members, details, list, counts };
    });
    this.list.replaceChildren(...this.#groups.map(({ details }) => details));
  }

  #show() {
    if (!this.#catalogue) return;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = this.filter.value;
    const passes = (row) => {
      const text = `${row.number} ${row.url} ${row.name} ${row.server} ${row.client}`.toLowerCase();
      return words.every((each) => text.includes(each)) && (!wanted || this.#results.get(row).verdict === wanted);
    };
    const isSearched = words.length > 0 || wanted !== "";
    for (const { members, details, list, counts } of this.#groups) {
      const passing = members.filter(passes);
      details.hidden = passing.length === 0;
      const good = members.filter((row) => this.#results.get(row).verdict === "expected").length;
      const bad = members.filter((row) => this.#results.get(row).verdict === "different").length;
      const parts = [passing.length, good && `${good} as expected`, bad && `${bad} different`];
      setText(counts, parts.filter(Boolean).join(" · "));
      if (details.open || isSearched) replaceChildren(list, passing.map((row) => this.#item(row).item));
      if (isSearched && passing.length && passing.length <= 40) details.open = true;
    }
    this.#showVerdicts();
  }

  #showVerdicts() {
    const results = [...this.#results.values()];
    const counted = Object.entries(VERDICTS).map(([verdict, name]) => {
      return [verdict, `${name} (${results.filter((each) => each.verdict === verdict).length})`];
    });
    const options = [["", `All verdicts (${results.length})`], ...counted];
    const chosen = this.filter.value;
    if (this.filter.options.length !== options.length) {
      this.filter.replaceChildren(...options.map(([value]) => element("option", { value })));
    }
    options.forEach(([, label], index) => setText(this.filter.options[index], label));
    this.filter.value = chosen;
    const isRun = results.some(({ verdict }) => verdict === "expected" || verdict === "different");
    const short = `${results.length} scenarios. Each is a URL that any client can use.`;
    setText(this.summary, isRun ? summary(results, this.#facts().browser) : short);
  }

  #item(row) {
    const known = this.#items.get(row);
    if (known) return known;
    const mark = element("span.verdict");
    const title = element("code", {}, row.url.replace(/^\/ws\/?(?=.)/, ""));
    const sentences = this.#catalogue.sentences(this.#catalogue.form(row.url));
    const words = element("span.muted.small", {}, sentences.join(" Then: ") || row.server);
    const button = element("button.quiet", { "aria-expanded": "false" }, element("span.names", {}, title, words), mark);
    const item = element("li", {}, button);
    const entry = { item, button, mark, form: null };
    button.addEventListener("click", () => (this.#opened === row ? this.#closeRow() : this.#openRow(row)));
    this.#items.set(row, entry);
    this.#mark(row);
    return entry;
  }

  #mark(row) {
    const entry = this.#items.get(row);
    if (!entry) return;
    const { verdict, isRunning } = this.#results.get(row);
    entry.mark.replaceChildren(isRunning ? "running" : badge(verdict, SHORT[verdict]));
  }

  #openRow(row) {
    this.#closeRow();
    const entry = this.#item(row);
    this.#opened = row;
    entry.button.setAttribute("aria-expanded", "true");
    entry.form = new ScenarioForm(this.#context, this.#trials, this.#catalogue, row);
    entry.form.show(this.#results.get(row));
    entry.form.onResult = (result) => this.#keep(row, result);
    entry.item.append(entry.form.element);
  }

  #closeRow() {
    const entry = this.#items.get(this.#opened);
    this.#opened = null;
    entry?.button.setAttribute("aria-expanded", "false");
    entry?.form?.element.remove();
    if (entry) entry.form = null;
  }

  #keep(row, result) {
    this.#results.set(row, result);
    this.#mark(row);
    this.#showVerdicts();
  }

  async #runAll() {
    await this.#load();
    const isJudged = (row) =>
      row.browser?.visible !== false && plan(row, row.browser) && (this.slow.checked || row.slow < SLOW);
    const rows = this.#catalogue?.rows.filter(isJudged) ?? [];
    if (!rows.length || this.#isRunning) return;
    this.#isRunning = true;
    setText(this.runAll, "Stop");
    Object.assign(this.progress, { hidden: false, max: rows.length, value: 0 });
    for (const row of this.#catalogue.rows) this.#keep(row, { ...judge(row.browser, null), reason: "" });
    const jobs = rows
      .toSorted((one, other) => one.slow - other.slow)
      .map((row) => ({ alone: row.opening && row.slow > 0, run: () => this.#runOne(row) }));
    const isDone = await this.#trials.all(jobs);
    this.#isRunning = false;
    setText(this.runAll, "Run all");
    this.progress.hidden = true;
    this.#show();
    this.#context.announce(`${isDone ? "All run" : "Stopped"}: ${this.summary.textContent}`, { urgent: true });
  }

  async #runOne(row) {
    const entry = this.#items.get(row);
    this.#results.get(row).isRunning = true;
    this.#mark(row);
    const result = await this.#trials.row(row, row.url, row.browser);
    this.#keep(row, result);
    this.progress.value += 1;
    if (this.#opened === row) entry?.form?.show(result);
  }

  #facts() {
    const { userAgentData, userAgent } = navigator;
    return {
      browser: browserName(userAgentData, userAgent),
      version: this.#catalogue?.version ?? "",
      date: new Date().toISOString().slice(0, 10),
    };
  }

  #copy(write) {
    const results = this.#catalogue.rows.map((row) => {
      const { verdict, rows } = this.#results.get(row);
      return { number: row.number, url: row.url, verdict, rows };
    });
    copyText(write(results, this.#facts()));
  }
}

// Without need, nothing is moved: an element that moves loses the focus.
function replaceChildren(parent, children) {
  const before = parent.children;
  const isSame = before.length === children.length && children.every((each, index) => each === before[index]);
  if (!isSame) parent.replaceChildren(...children);
}
