// Loads on the chosen connection, and what they show: round trips over time, their spread, losses, throughput.
import { WAIT } from "../model/act.js";
import { bytes, integer } from "../model/format.js";
import { Rates, peak } from "../model/rates.js";
import { asMarkdown, contents, figures, milliseconds, percentiles } from "../model/report.js";
import { pingTimes } from "../model/seen.js";
import { browserName } from "../model/verdict.js";
import { Chart, drawHistogram, drawScatter, drawSparkline } from "./chart.js";
import { copyText } from "./clipboard.js";
import { element, setText } from "./dom.js";
import { Trials } from "./trials.js";

const PERIOD = 250;
const SHOWN = 60_000;
const MODES = { interval: "At an interval", inflight: "In flight", burst: "Burst" };
const PINGS = 5;
const SILENT = "The server does not say: its scenarios are off, or it does not answer.";

/** The Measure panel. */
export class MeasurePanel {
  #context;
  #trials;
  #connection = null;
  #plan = null;
  #timer = 0;
  #serverPing = [];
  #isShown = false;

  /** @param {object} context of page.js */
  constructor(context) {
    this.#context = context;
    this.#trials = new Trials(context);
    this.#buildForm();
    this.#buildResult();
    this.element = element("div.stack.measure-panel", {}, this.form, this.progress, this.sentence, this.result);
    context.panels.register({
      id: "measure",
      title: "Measure",
      element: this.element,
      onShow: () => this.#visible(true),
      onHide: () => this.#visible(false),
    });
    context.connections.on("active", () => this.#follow());
    addEventListener("beforeunload", (event) => {
      if (context.connections.list.some(({ measurement }) => measurement?.running)) event.preventDefault();
    });
    document.addEventListener("keydown", (event) => {
      const isTaken = event.defaultPrevented || document.querySelector("dialog[open], :popover-open");
      if (event.key === "Escape" && !isTaken && this.#connection?.measurement?.running) this.#connection.stop();
    });
    this.#follow();
  }

  #buildForm() {
    const number = (value, min, max, label) =>
      element("input", { type: "number", value, min, max, step: "any", required: true, "aria-label": label });
    this.mode = element("select", { "aria-label": "Mode" }, ...options(MODES));
    this.interval = number(100, 1, 60_000, "Interval in ms");
    this.inFlight = number(16, 1, 10_000, "Messages in flight");
    this.count = number(1000, 1, 1_000_000, "Messages");
    this.seconds = number(10, 1, 3600, "Seconds");
    const sources = { made: "Generated", composer: "From the composer" };
    this.source = element("select", { "aria-label": "Payload" }, ...options(sources));
    this.size = number(64, 0, 16 << 20, "Bytes");
    const fillings = { counter: "counter", zeros: "zeros", random: "random", json: "JSON" };
    this.filling = element("select", { "aria-label": "Filling" }, ...options(fillings));
    this.run = element("button.primary", { type: "submit" }, "Run");
    this.every = element("span.toolbar", {}, "every", this.interval, "ms");
    this.flight = element("span.toolbar", {}, this.inFlight, "in flight");
    this.burst = element("span.toolbar", {}, this.count, "messages at once");
    this.time = element("span.toolbar", {}, "for", this.seconds, "s");
    this.made = element("span.toolbar", {}, this.size, "bytes", this.filling);
    this.form = element(
      "form.stack",
      {},
      element("div.toolbar", {}, this.mode, this.every, this.flight, this.burst, this.time),
      element("div.toolbar", {}, this.source, this.made, element("span.spacer"), this.run),
    );
    this.progress = element("progress", { hidden: true, "aria-label": "Progress", max: 1 });
    this.form.addEventListener("change", () => this.#showForm());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#connection.measurement?.running ? this.#connection.stop() : this.#start();
    });
    this.#showForm();
  }

  #buildResult() {
    const nothing = "Nothing is measured yet. Run sends a load and measures each echo.";
    this.sentence = element("p.result", {}, nothing);
    this.scatter = new Chart(element("canvas"), 180);
    this.histogram = new Chart(element("canvas"), 160);
    this.throughput = new Chart(element("canvas"), 44);
    this.isLog = element("input", { type: "checkbox" });
    this.isWhole = element("input", { type: "checkbox" });
    this.figures = element("tbody");
    this.rates = element("tbody");
    this.note = element("p.muted.small");
    const redraw = () => this.#show();
    this.isLog.addEventListener("change", redraw);
    this.isWhole.addEventListener("change", redraw);
    const copied = element("button", {}, "Copy as Markdown");
    copied.addEventListener("click", () => copyText(this.#markdown()));
    this.ask = element("button", {}, "Ask the server for its round trip");
    this.ask.addEventListener("click", () => this.#askServer());
    const view = [element("label", {}, this.isLog, "Logarithmic"), element("label", {}, this.isWhole, "Whole run")];
    this.result = element(
      "div.stack",
      { hidden: true },
      element("div.toolbar", {}, element("h2", {}, "Round trips, ms"), element("span.spacer"), ...view),
      this.scatter.canvas,
      element("h2", {}, "Spread"),
      this.histogram.canvas,
      this.note,
      element("table.figures", {}, element("caption.visually-hidden", {}, "Figures"), this.figures),
      element("h2", {}, "Received each second"),
      this.throughput.canvas,
      element("table.figures", {}, element("caption.visually-hidden", {}, "Throughput"), this.rates),
      element("div.toolbar", {}, copied, this.ask),
    );
  }

  #showForm() {
    const mode = this.mode.value;
    this.every.hidden = mode !== "interval";
    this.flight.hidden = mode !== "inflight";
    this.burst.hidden = mode !== "burst";
    this.time.hidden = mode === "burst";
    this.made.hidden = this.source.value !== "made";
  }

  #visible(isShown) {
    this.#isShown = isShown;
    if (isShown) this.#show();
  }

  #follow() {
    this.off?.();
    this.#connection = this.#context.connections.active;
    this.off = this.#connection.on("measurement", () => this.#later());
    this.#show();
  }

  #start() {
    if (!this.form.reportValidity()) return;
    let payload = { size: Math.round(this.size.valueAsNumber), filling: this.filling.value, seed: 1 };
    if (this.source.value === "composer") {
      const { kind, data, problem } = this.#context.composer.payload();
      if (problem && kind === "binary") return setText(this.sentence, `Not sent. ${problem.message}`);
      if (data instanceof Blob) return setText(this.sentence, "A file cannot be repeated. Choose a generated payload.");
      payload = { kind, data };
    }
    this.#serverPing = [];
    this.#plan = {
      mode: this.mode.value,
      interval: this.interval.valueAsNumber,
      inFlight: Math.round(this.inFlight.valueAsNumber),
      count: Math.round(this.count.valueAsNumber),
      seconds: this.seconds.valueAsNumber,
      payload,
    };
    this.#connection.measure(this.#plan);
    this.#context.announce("Measuring", { urgent: true });
  }

  // Nothing is drawn more often than four times a second; the end is drawn at once.
  #later() {
    const isOver = !this.#connection.measurement?.running;
    if (isOver) {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.#show();
      const sentence = this.#connection.measurement?.sentence;
      if (sentence) this.#context.announce(sentence, { urgent: true });
    } else if (!this.#timer) {
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.#show();
      }, PERIOD);
    }
  }

  #show() {
    const measurement = this.#connection.measurement;
    this.result.hidden = !measurement;
    const isRunning = Boolean(measurement?.running);
    setText(this.run, isRunning ? "Stop" : "Run");
    this.progress.hidden = !isRunning;
    if (!measurement || !this.#isShown) return;
    this.progress.value = measurement.progress;
    const { sent, received, mode } = measurement;
    const progress = `${integer(received)} of ${integer(sent)} are back.`;
    const meanwhile = mode === "once" ? "Round trips of messages that were sent by hand." : progress;
    setText(this.sentence, measurement.sentence || meanwhile);
    this.#showScatter(measurement);
    const marks = percentiles(measurement.histogram);
    const label = marks.map((each) => `${each.label} ${milliseconds(each.value)}`).join(", ");
    this.histogram.show(`Spread of ${measurement.histogram.count} round trips: ${label}`, (pen) =>
      drawHistogram(pen, measurement.histogram.buckets(), marks),
    );
    const others = this.#others();
    this.figures.replaceChildren(...[...figures(measurement), ...others].map(line));
    this.#showRates(measurement);
    setText(this.note, contents(measurement));
  }

  #showScatter({ points, histogram, marks }) {
    const to = points.at(-1)?.time ?? 0;
    const first = points[0]?.time ?? 0;
    const from = this.isWhole.checked ? first : Math.max(to - SHOWN, Math.min(first, to - 1000));
    const label = percentiles(histogram).map((each) => `${each.label} ${milliseconds(each.value)}`).join(", ");
    this.scatter.show(`Round trips over time: ${label}`, (pen) =>
      drawScatter(pen, points, { from, to, isLog: this.isLog.checked, marks }),
    );
  }

  #showRates({ rates, running }) {
    const series = Rates.from(rates).series(running ? Date.now() : (rates.current + 1) * 1000);
    const highest = peak(series);
    const last = series.at(-1) ?? { sent: 0, received: 0, sentBytes: 0, receivedBytes: 0 };
    const words = ({ sent, received, sentBytes, receivedBytes }) =>
      `↑ ${integer(sent)} messages, ${bytes(sentBytes)} · ↓ ${integer(received)} messages, ${bytes(receivedBytes)}`;
    this.throughput.show(`Received each second: at most ${highest.received} messages`, (pen) =>
      drawSparkline(pen, series.map(({ received }) => received), 60),
    );
    this.rates.replaceChildren(...[["Last second", words(last)], ["Peak of 60 s", words(highest)]].map(line));
  }

  #others() {
    const times = this.#serverPing.toSorted((one, other) => one - other);
    if (!times.length) return [];
    return [["The server's own ping, median", milliseconds(times[Math.floor(times.length / 2)])]];
  }

  // A scenario pings this browser, and the server tells when each pong came: the difference is the browser's own time.
  async #askServer() {
    this.ask.disabled = true;
    const steps = Array.from({ length: PINGS }, (_, index) => `ping/${index}/delay/100ms`).join("/");
    const plan = { act: WAIT, listed: null, reads: Infinity, ends: true, within: 10 };
    const url = `/ws/${steps}/close/1000?pings=off`;
    const run = await this.#trials.run(url, plan);
    try {
      const response = await this.#trials.fetch(`seen?key=${run.key}`);
      this.#serverPing = pingTimes(await response.json());
    } catch {
      this.#serverPing = [];
    }
    this.ask.disabled = false;
    if (this.#serverPing.length) this.#show();
    else setText(this.note, (await this.#trials.refusal(url)) || SILENT);
  }

  #markdown() {
    const { userAgentData, userAgent } = navigator;
    return asMarkdown(this.#connection.measurement, this.#plan ?? { mode: "once" }, {
      url: this.#connection.state.url || this.#connection.options.url,
      browser: browserName(userAgentData, userAgent),
      date: new Date().toISOString().slice(0, 10),
      others: this.#others(),
    });
  }
}

const options = (words) => Object.entries(words).map(([value, word]) => element("option", { value }, word));
const line = ([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value));
