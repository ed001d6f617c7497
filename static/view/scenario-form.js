// One scenario of the catalogue, opened: its form, its URL, its run, and what was expected beside what was seen.
import { problem, url } from "../model/scenario.js";
import { seenByServer } from "../model/seen.js";
import { VERDICTS } from "../model/verdict.js";
import { visibleRuns } from "../model/visible-text.js";
import { copyText } from "./clipboard.js";
import { element, setText } from "./dom.js";

const PATIENCE = 400;
const SHAPES = { expected: "✓", different: "≠", invisible: "◌", open: "·" };
const TONES = { expected: "good", different: "error", invisible: "muted", open: "muted" };

/**
 * @param {string} verdict
 * @param {string} [words]
 * @returns {HTMLElement} the shape and the words of a verdict
 */
export function badge(verdict, words = VERDICTS[verdict]) {
  const shape = element("span.shape", { "aria-hidden": "true" }, SHAPES[verdict]);
  return element(`span.badge.${TONES[verdict]}`, {}, shape, words);
}

/** The opened row. `onResult` is called with the result of each run of the row as the catalogue has it. */
export class ScenarioForm {
  #context;
  #trials;
  #catalogue;
  #row;
  #form;
  #timer = 0;
  #inputs = new Map();

  constructor(context, trials, catalogue, row) {
    this.#context = context;
    this.#trials = trials;
    this.#catalogue = catalogue;
    this.#row = row;
    this.onResult = () => {};
    this.does = element("span", {}, row.server);
    this.fields = element("div.fields");
    this.more = element("details", {}, element("summary", {}, "More options"), element("div.fields"));
    this.address = element("code.wire.address", { tabindex: 0, "aria-label": "URL of the scenario" });
    this.problem = element("p.error", { role: "alert" });
    this.run = element("button.primary", {}, "Run");
    this.result = element("div.stack");
    const use = element("button", {}, "Use above");
    const copied = element("button", {}, "Copy");
    this.element = element(
      "div.scenario.stack",
      {},
      element("p", {}, element("strong", {}, "Server "), this.does),
      element("p", {}, element("strong", {}, "A correct client "), row.client, row.rfc && ` (${row.rfc})`),
      row.act && row.act !== "wait" ? element("p.muted", {}, `This page: ${row.act}.`) : null,
      this.fields,
      this.more,
      this.address,
      this.problem,
      element("div.toolbar", {}, this.run, use, copied),
      this.result,
    );
    this.run.addEventListener("click", () => this.#run());
    use.addEventListener("click", () => this.#use());
    copied.addEventListener("click", () => copyText(this.#address()));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.fill(catalogue.form(row.url));
  }

  /** The URL of the form: path and query. */
  get url() {
    return url(this.#form);
  }

  /** @param {import("../model/scenario.js").Form} form its values become those of the fields */
  fill(form) {
    this.#form = form;
    this.#inputs.clear();
    const fields = this.#catalogue.fields(form);
    const shown = (own) => fields.filter((each) => each.own === own).map((each) => this.#field(each));
    this.fields.replaceChildren(...shown(true));
    const rest = shown(false);
    this.more.lastChild.replaceChildren(...rest);
    this.more.hidden = rest.length === 0;
    this.#show();
    setText(this.does, this.#catalogue.sentences(form).join(" Then: ") || this.#row.server);
  }

  #field({ id, label, step, argument, value }) {
    const input = control(argument, value);
    input.setAttribute("aria-describedby", `hint-${id}`);
    const meaning = [argument.meaning, argument.accepts].filter(Boolean).join("; ");
    const note = element("span.muted.small", { id: `hint-${id}` }, meaning);
    input.addEventListener("input", () => {
      const typed = input.value === "" ? null : input.value;
      if (step !== null) this.#form.steps[step].values[Number(id.split(".")[1])] = typed;
      else if (typed === null) this.#form.options.delete(id);
      else this.#form.options.set(id, argument.type === "switch" && typed === "on" ? "" : typed);
      this.#changed();
    });
    this.#inputs.set(input, argument);
    return element("label.argument", {}, element("span", {}, label), input, note);
  }

  #address() {
    return this.#context.server.socket(url(this.#form).slice(1));
  }

  #show() {
    setText(this.address, this.#address());
    const problems = [...this.#inputs].map(([input, argument]) => {
      const found = problem(argument, input.value);
      input.toggleAttribute("aria-invalid", false);
      if (found) input.setAttribute("aria-invalid", "true");
      return found && `${argument.name} ${found}`;
    });
    setText(this.problem, problems.find(Boolean) ?? "");
  }

  #changed() {
    this.#show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#explain(), PATIENCE);
  }

  // The server says of each URL what it does, or what is wrong with it. The catalogue's own rows need no such request,
  // which browsers write to their console because it is answered with 426.
  async #explain() {
    const asked = url(this.#form);
    if (!this.element.isConnected || this.problem.textContent) return;
    try {
      const answer = await (await this.#trials.fetch(asked.slice(1), { Accept: "application/json" })).json();
      if (asked !== url(this.#form)) return;
      if (typeof answer.error === "string") return setText(this.problem, answer.error.slice(0, 500));
      const sentences = answer.phases.flatMap(({ steps }) => steps.map(({ server }) => String(server).slice(0, 1000)));
      if (sentences.length) setText(this.does, sentences.slice(0, 40).join(" Then: "));
    } catch {
      // The sentence of the catalogue stays.
    }
  }

  #key(event) {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches("input")) return;
    event.preventDefault();
    this.#run();
  }

  #use() {
    this.#context.bar.fill({ url: this.#address() });
    this.#context.announce("The URL is filled in. Nothing was sent.");
  }

  async #run() {
    if (this.run.disabled || this.problem.textContent) return;
    this.run.disabled = true;
    setText(this.run, "Running");
    const address = url(this.#form);
    const isRow = address === this.#row.url;
    const expected = isRow ? this.#row.browser : this.#catalogue.expected(this.#row, this.#form);
    const result = await this.#trials.row(this.#row, address, expected);
    const hadFocus = document.activeElement === document.body;
    this.run.disabled = false;
    setText(this.run, "Run");
    if (hadFocus && this.element.isConnected) this.run.focus();
    if (isRow) this.onResult(result);
    this.show(result, expected === null);
    this.#context.announce(`${url(this.#form)}: ${VERDICTS[result.verdict]}`);
  }

  /**
   * @param {object} result of a run, as `Trials.row` returns it
   * @param {boolean} isUnknown whether nothing is expected of these values
   */
  show({ verdict, rows, run, reason }, isUnknown = false) {
    if (!run) {
      const words = reason || (verdict === "invisible" ? "A page cannot tell whether this goes as it should." : "");
      return this.result.replaceChildren(...(words ? [element("p.muted", {}, words)] : []));
    }
    const unknown = "Seen, not judged: the catalogue has no outcome for these values.";
    const heading = isUnknown ? element("p.muted", {}, unknown) : badge(verdict);
    const server = element("details", {}, element("summary", {}, "What the server saw"), element("div.stack"));
    server.addEventListener("toggle", () => server.open && this.#showSeen(run.key, server.lastChild));
    this.result.replaceChildren(heading, table(rows), transcript(run), server);
  }

  async #showSeen(key, place) {
    place.replaceChildren(element("p.muted", {}, "Asking the server"));
    try {
      const response = await this.#trials.fetch(`seen?key=${key}`);
      if (!response.ok) throw new Error(`status ${response.status}`);
      const connections = seenByServer(await response.json());
      if (!connections.length) throw new Error("nothing is kept under the key of this run any more");
      place.replaceChildren(...connections.map(seenConnection));
    } catch (error) {
      place.replaceChildren(element("p.muted", {}, `Not known: ${error.message}.`));
    }
  }
}

function control(argument, value) {
  const { type } = argument;
  if (type !== "choice" && type !== "switch") {
    const placeholder = argument.default ? `${argument.default} if left out` : "";
    const inputmode = type === "count" || type === "closecode" ? "numeric" : "text";
    return element("input", { value: value ?? "", placeholder, inputmode, maxlength: 4096, spellcheck: "false" });
  }
  const words = choices(argument).map((each) => element("option", { value: each }, each || "left out"));
  const select = element("select", {}, ...words);
  select.value = type === "switch" && value === "" ? "on" : (value ?? "");
  return select;
}

function choices({ type, choices: words, accepts }) {
  if (type === "switch") return ["", "on", "off"];
  const known = words.length ? words : (/^one of (.*)$/.exec(accepts)?.[1].split(", ") ?? []);
  return ["", ...known];
}

function table(rows) {
  const head = ["Seen of", "Expected", "Seen", "Verdict"].map((word) => element("th", { scope: "col" }, word));
  const lines = rows.map(({ name, expected, seen, same }) => {
    const verdict = { true: badge("expected", "as expected"), false: badge("different", "different") }[same];
    const cells = [expected, seen, verdict ?? "not judged"].map((content) => element("td", {}, content));
    return element(same === false ? "tr.differs" : "tr", {}, element("th", { scope: "row" }, name), ...cells);
  });
  const caption = element("caption.visually-hidden", {}, "Expected and seen");
  const thead = element("thead", {}, element("tr", {}, ...head));
  return element("table.verdicts", {}, caption, thead, element("tbody", {}, ...lines));
}

function transcript({ notes, notKept }) {
  const arrows = { sent: "↑", received: "↓", event: "·" };
  const lines = notes.map(({ at, direction, text, kind, size }) => {
    const tag = kind ? `${kind} ${size} ${kind === "text" ? "characters" : "bytes"} ` : "";
    const words = element("bdi", {}, ...visible(text));
    return element("li", {}, element("span.muted", {}, `${(at / 1000).toFixed(3)} ${arrows[direction]} ${tag}`), words);
  });
  if (notKept) lines.push(element("li.muted", {}, `${notKept} more, not kept`));
  const title = element("summary", {}, `Transcript (${notes.length + notKept})`);
  return element("details", {}, title, element("ol.plain.transcript.wire", {}, ...lines));
}

function seenConnection({ title, facts, events }) {
  const line = ([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value));
  const lines = facts.map(line);
  return element(
    "div.stack",
    {},
    element("h2", {}, title),
    element("table", {}, element("tbody", {}, ...lines)),
    element("ol.plain.transcript.wire", {}, ...events.map((each) => element("li", {}, each))),
  );
}

const visible = (text) =>
  visibleRuns(text).map((run) => (run.chip ? element("span.chip", { title: run.title }, run.chip) : run.text));
