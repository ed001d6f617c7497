// The server's own figures. They are read while the panel and the tab are visible, and at no other time.
import { bytes, integer } from "../model/format.js";
import { parseMetrics } from "../model/metrics-text.js";
import { ServerHistory } from "../model/server-history.js";
import { Chart, drawSparkline } from "./chart.js";
import { element, setText } from "./dom.js";

const PERIOD = 2000;
const READS = 60;
const WORDS = {
  401: "Metrics want a token. It is taken from the token field of the connection.",
  403: "Metrics want a token. It is taken from the token field of the connection.",
  404: "Metrics are on the admin port only.",
};

/** The Server panel. */
export class ServerPanel {
  #context;
  #history = new ServerHistory();
  #tiles = [];
  #timer = 0;
  #isShown = false;
  #isReading = false;

  /** @param {object} context of page.js */
  constructor(context) {
    this.#context = context;
    this.state = element("p", { role: "status" }, "");
    this.grid = element("div.tiles");
    const note = "Read every 2 s while this panel is visible. Each read is itself an HTTP request.";
    const link = (name) => element("a", { href: context.server.http(name), target: "_blank", rel: "noopener" }, name);
    const links = element("p", {}, link("metrics"), " · ", link("info"), " · ", link("health"));
    const foot = element("p.muted.small", {}, note);
    this.element = element("div.stack.server-panel", {}, this.state, this.grid, foot, links);
    context.panels.register({
      id: "server",
      title: "Server",
      element: this.element,
      onShow: () => this.#visible(true),
      onHide: () => this.#visible(false),
    });
    // On a narrow page another panel, or the log, can cover this one.
    context.panels.on("show", () => this.#schedule());
    document.addEventListener("visibilitychange", () => this.#schedule());
  }

  #visible(isShown) {
    this.#isShown = isShown;
    this.#schedule();
  }

  get #isVisible() {
    return this.#isShown && document.visibilityState === "visible" && this.element.checkVisibility();
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (this.#isVisible) this.#read();
  }

  async #read() {
    if (this.#isReading) return;
    this.#isReading = true;
    const began = performance.now();
    const state = await this.#readOnce();
    this.#isReading = false;
    if (!this.#isVisible) return;
    setText(this.state, state);
    this.state.hidden = !state;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#schedule(), Math.max(0, PERIOD - (performance.now() - began)));
  }

  async #readOnce() {
    try {
      const token = this.#context.connections.ownToken;
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      const url = (path) => this.#context.server.http(path);
      const [ready, response] = await Promise.all([
        fetch(url("ready"), { cache: "no-store" }),
        fetch(url("metrics"), { headers, cache: "no-store" }),
      ]);
      const { status } = response;
      if (!response.ok) return this.#nothing(WORDS[status] ?? `Metrics cannot be read: status ${status}.`);
      const samples = parseMetrics(await response.text());
      if (!samples.has("websocket_active_connections")) {
        return this.#nothing("The server answers with something else than metrics.");
      }
      this.#history.push(timeOf(response.url), samples);
      this.#show();
      return ready.status === 503 ? "The server is draining: it accepts no new connections." : "";
    } catch {
      return this.#nothing("The server does not answer.");
    }
  }

  #nothing(words) {
    this.#history.clear();
    this.#tiles = [];
    this.grid.replaceChildren();
    return words;
  }

  #show() {
    const tiles = this.#history.tiles({ integer: rate, bytes });
    if (!this.#tiles.length) {
      this.#tiles = tiles.map(newTile);
      this.grid.replaceChildren(...this.#tiles.map((each) => each.element));
    }
    tiles.forEach((tile, index) => showTile(this.#tiles[index], tile));
  }
}

// Rates below ten have a digit behind the point: a server that gets one message in 2 s is not idle.
const rate = (value) => (value > 0 && value < 9.95 && !Number.isInteger(value) ? value.toFixed(1) : integer(value));

// When the server answered, as the network saw it: the page itself may have been busy since.
function timeOf(url) {
  const entry = performance.getEntriesByName(url).at(-1);
  performance.clearResourceTimings();
  return entry?.responseStart || performance.now();
}

function newTile({ title, metric }) {
  const [value, detail] = [element("p.value"), element("p.muted.small")];
  const chart = new Chart(element("canvas"), 32);
  // A long name breaks between its words.
  const name = element("code.small.muted", {}, ...metric.split(/(?<=_)/).flatMap((word) => [word, element("wbr")]));
  const parts = [element("h2", {}, title), value, detail, chart.canvas, name];
  return { value, detail, chart, element: element("section.tile", {}, ...parts) };
}

function showTile(shown, { title, value, detail, values }) {
  setText(shown.value, value);
  setText(shown.detail, detail);
  shown.chart.show(`${title} over two minutes: ${value} ${detail}`, (pen) => drawSparkline(pen, values, READS));
}
