import { addressName, judgeAddress, withoutSecrets } from "../model/address.js";
import { toBase64Url } from "../model/base64.js";
import { closeDetails, closeSentence, closeTone } from "../model/close-codes.js";
import { duration, integer } from "../model/format.js";
import { Histogram } from "../model/histogram.js";
import { LogStore } from "../model/log-store.js";
import { backOff } from "../model/pacing.js";
import { unpack } from "../model/packed.js";
import { Rates } from "../model/rates.js";
import { now, synchronise } from "../line/clock.js";
import { Emitter } from "./events.js";
import { examine, FAILED } from "./failure.js";
import { startWorker } from "./worker.js";

// A web page cannot add header fields to a WebSocket handshake. It sends a token in the name of a subprotocol, as
// clients of Kubernetes do. The server never selects that name, so the page must offer another subprotocol with it.
const TOKEN_SUBPROTOCOL = "base64url.bearer.authorization.k8s.io.";
const SUBPROTOCOL = "wsecho";
const LONG_LIFE = 10_000; // ms after which the pause before a reconnect starts at its least again
const MOST_UNSENT = 1000;
const MOST_AWAITED = 120_000; // more than rows in the log
const MOST_POINTS = 36_000; // an hour
const NO_COUNTS = { sent: 0, received: 0, sentBytes: 0, receivedBytes: 0, notKept: 0, lost: 0, differs: 0 };
const OPEN = ["connected", "closing"];

/**
 * The page's side of a line: its state, its log and its counts. The worker line/line.js has the socket.
 *
 * Raises "state", "options", "counts", "rows" (the log has changed), "rates" and "measurement". `state` is `{name,
 * since, url, protocol, extensions, openedIn, close, failure, retry}`, where name is one of idle, connecting,
 * connected, closing, closed, failed, waiting (for a reconnect).
 */
export class Connection extends Emitter {
  #page;
  #worker;
  #unsent = []; // what is to be sent when the connection is open
  #plan = null; // a load that begins then
  #ids = new Map(); // key of a sent message that waits for its echo → id of its row
  #attempt = 0; // of a reconnect
  #timer = 0;
  #options = { url: "", protocols: [], token: "", reconnect: false };

  /**
   * @param {number} id
   * @param {URL} page the folder of the page
   */
  constructor(id, page) {
    super();
    this.id = id;
    this.#page = page;
    this.log = new LogStore();
    this.draft = null;
    this.counts = { ...NO_COUNTS };
    this.rates = new Rates();
    this.measurement = null;
    this.openedAt = NaN;
    this.#setState("idle");
    this.#worker = startWorker("line");
    this.#worker.onmessage = ({ data }) => this.#heard(data);
    this.#worker.onerror = (event) => this.#broke(event.message || "it could not be loaded");
  }

  /** What the next connection is made with: `{url, protocols, token, reconnect}`. Setting it raises "options". */
  get options() {
    return this.#options;
  }

  set options(options) {
    this.#options = options;
    this.emit("options");
  }

  /** A short name: the path, with the host if it is another server. */
  get name() {
    return addressName(this.options.url, this.#page);
  }

  /** Whether something would be lost by closing it. */
  get isOpen() {
    return OPEN.includes(this.state.name);
  }

  /** Connect, or connect now instead of after a pause. */
  connect() {
    if (!["idle", "closed", "failed", "waiting"].includes(this.state.name)) return;
    const isRetry = this.state.name === "waiting";
    if (!isRetry) {
      this.#attempt = 0;
      this.counts = { ...NO_COUNTS };
      this.measurement = null;
      this.emit("measurement");
      this.emit("counts");
    }
    this.#begin(isRetry);
  }

  #begin(isRetry) {
    clearTimeout(this.#timer);
    const { url, problem } = judgeAddress(this.options.url, this.#page);
    if (problem) {
      this.#fail({ text: problem, checks: [{ text: problem, tone: "error" }], curl: "" });
      return;
    }
    const { protocols, token, reconnect } = this.options;
    const shown = withoutSecrets(url);
    this.#setState("connecting", { url: shown });
    if (!isRetry) this.note("info", `Connecting to ${shown}`);
    this.#tell("connect", { url, protocols: offered(protocols, token), isRetry, willReconnect: reconnect });
  }

  /** Give up connecting, waiting for a reconnect, or waiting for the other side's Close. */
  cancel() {
    const { name } = this.state;
    if (!["connecting", "waiting", "closing"].includes(name)) return;
    clearTimeout(this.#timer);
    this.#tell("drop");
    this.#tell("stop");
    this.#dropUnsent();
    this.note("info", name === "closing" ? "Ended without waiting for the server's Close." : "Cancelled.");
    this.#setState("idle");
  }

  /**
   * Close the connection.
   * @param {number} [code] 1000, or 3000 to 4999
   * @param {string} [reason] at most 123 bytes of UTF-8
   */
  disconnect(code = 1000, reason = "") {
    if (this.state.name === "connected") {
      this.#setState("closing", { ...this.#kept() });
      this.#tell("close", { code, reason });
    } else this.cancel();
  }

  /**
   * Send a message. Without a connection, connect first.
   * @param {{kind: "text" | "binary", data: string | Uint8Array | Blob, isFile?: boolean}} message
   */
  send(message) {
    if (this.state.name === "connected") this.#tell("send", message);
    else if (this.state.name === "closing") this.note("warning", "Not sent: the connection is closing.");
    else if (this.#unsent.length >= MOST_UNSENT) this.note("warning", "Not sent: too many messages wait already.");
    else {
      this.#unsent.push(message);
      if (this.state.name !== "connecting") this.connect();
    }
  }

  /**
   * Begin a load. Without a connection, connect first.
   * @param {object} plan `{mode, interval, inFlight, count, seconds, payload}`; times in ms, `seconds` in s
   */
  measure(plan) {
    if (this.state.name === "connected") {
      this.measurement = null;
      this.#tell("measure", { plan });
      return;
    }
    this.#plan = plan;
    if (this.state.name !== "connecting") this.connect();
  }

  /** End a load. */
  stop() {
    this.#plan = null;
    this.#tell("stop");
  }

  /** End the line; the object must not be used afterwards. */
  dispose() {
    clearTimeout(this.#timer);
    this.#worker.terminate();
  }

  /**
   * Add an event to the log.
   * @param {"info" | "good" | "warning" | "error"} tone
   * @param {string} text
   * @param {object} [more] `details`: what is known besides, `[{text, tone}]`; `command`: for a shell
   * @returns {object} the event
   */
  note(tone, text, { time = now(), ...more } = {}) {
    const event = { tone, text, ...more };
    this.log.append({ time, direction: "event", kind: "text", size: 0, event });
    this.emit("rows");
    return event;
  }

  #tell(name, values = {}) {
    this.#worker.postMessage({ do: name, ...values });
  }

  // States

  #setState(name, values = {}) {
    synchronise();
    const nothing = { url: "", protocol: "", extensions: "", openedIn: NaN, close: null, failure: null, retry: null };
    this.state = { ...nothing, ...values, name, since: now() };
    this.emit("state");
  }

  #kept() {
    const { url, protocol, extensions, openedIn } = this.state;
    return { url, protocol, extensions, openedIn };
  }

  #connected({ time, protocol, extensions, openedIn }) {
    this.openedAt = time;
    this.#setState("connected", { url: this.state.url, protocol, extensions, openedIn });
    const facts = [protocol && `subprotocol ${protocol}`, extensions && extensionsInWords(extensions)].filter(Boolean);
    this.note("good", `Connected in ${duration(openedIn)}${facts.map((fact) => `, ${fact}`).join("")}`, { time });
    for (const message of this.#unsent.splice(0)) this.#tell("send", message);
    if (this.#plan) this.measure(this.#plan);
    this.#plan = null;
  }

  #closed({ time, close }) {
    if (close.openFor >= LONG_LIFE) this.#attempt = 0;
    this.note(closeTone(close), closeSentence(close), { time, details: closeDetails(close) });
    this.#dropUnsent();
    this.#setState("closed", { ...this.#kept(), close });
    if (!close.byPage) this.#retry();
  }

  #failed({ time, after, refusal }) {
    const { url } = this.state;
    if (refusal) {
      this.#fail({ text: `Could not connect: ${refusal}`, checks: [], curl: "" });
      return;
    }
    if (this.#attempt > 0) {
      this.note("error", `Try ${integer(this.#attempt)} to reconnect has failed.`, { time });
      this.#setState("failed", { url });
    } else this.#examine(time, after);
    this.#retry();
  }

  // What was found out is added to the event when it is known.
  #examine(time, after) {
    const { url, protocols, token } = this.options;
    const event = this.note("error", FAILED, { time, details: [], command: "" });
    const failure = { checks: [], curl: "", row: this.log.endId - 1 };
    this.#dropUnsent();
    this.#setState("failed", { url: this.state.url, failure });
    const retry = () => opens(url, offered(protocols, token));
    examine({ url, protocols, token, after, page: this.#page, retry }).then((found) => {
      Object.assign(failure, found);
      Object.assign(event, { details: found.checks, command: found.curl });
      this.emit("rows");
      this.emit("state");
    });
  }

  #fail({ text, checks, curl }) {
    this.note("error", text, { details: checks, command: curl });
    const row = this.log.endId - 1;
    this.#dropUnsent();
    this.#setState("failed", { failure: { checks, curl, row } });
  }

  #broke(problem) {
    this.#fail({ text: `The page's own worker has failed: ${problem}. Reload the page.`, checks: [], curl: "" });
  }

  #dropUnsent() {
    const count = this.#unsent.splice(0).length;
    if (count > 0) this.note("warning", count === 1 ? "The message was not sent." : `${integer(count)} not sent.`);
    this.#plan = null;
  }

  #retry() {
    if (!this.options.reconnect) return;
    this.#attempt += 1;
    const pause = backOff(this.#attempt, Math.random());
    const { url, close, failure } = this.state;
    const retry = { at: now() + pause, attempt: this.#attempt };
    this.#setState("waiting", { url, close, failure, retry });
    this.#timer = setTimeout(() => this.#begin(true), pause);
  }

  // What the worker says

  #heard(message) {
    if (message.is === "batch") this.#take(message);
    else if (message.is === "unsent") this.note("error", message.problem);
    else if (message.name === "connected") this.#connected(message);
    else if (message.name === "closed") this.#closed(message);
    else this.#failed({ time: now(), ...message });
  }

  #take({ packed, counts, rates, measurement }) {
    const { rows, updates } = unpack(packed);
    for (const row of rows) this.#append(row);
    for (const { key, echo } of updates) this.#setEcho(key, echo);
    for (const { echo } of rows) if (echo?.of) this.#ids.delete(echo.of);
    this.counts = counts;
    if (rates) this.rates = Rates.from(rates);
    if (measurement) this.#setMeasurement(measurement);
    this.#tell("taken");
    if (rows.length + updates.length > 0) this.emit("rows");
    this.emit("counts");
    if (rates) this.emit("rates");
    if (measurement) this.emit("measurement");
  }

  #append({ key, echo, ...row }) {
    if (row.direction === "gap") {
      const text = `${integer(row.count)} messages counted, not kept: too many at once`;
      this.log.append({ time: row.time, direction: "gap", event: { tone: "warning", text } });
      return;
    }
    const of = row.direction === "received" && echo.of !== null ? (this.#ids.get(echo.of) ?? null) : null;
    const id = this.log.append({ ...row, echo: { state: echo.state, at: echo.at, of } });
    if (row.direction === "sent") this.#await(key, id);
  }

  #await(key, id) {
    this.#ids.set(key, id);
    if (this.#ids.size < MOST_AWAITED) return;
    for (const [old, row] of this.#ids) if (row < this.log.firstId) this.#ids.delete(old);
  }

  #setEcho(key, echo) {
    const id = this.#ids.get(key);
    if (id === undefined) return;
    this.log.setEcho(id, { state: echo.state, at: echo.at });
    if (echo.state === "lost") this.#ids.delete(key);
  }

  // The worker sends only the points that are new.
  #setMeasurement(measurement) {
    const before = this.measurement?.run === measurement.run ? this.measurement.points : [];
    const points = before.concat(measurement.points);
    const histogram = Histogram.from(measurement.histogram);
    this.measurement = { ...measurement, histogram, points: points.slice(-MOST_POINTS), rates: this.rates };
  }
}

// Whether a connection can be opened within 5 s; it is closed at once.
function opens(url, protocols) {
  return new Promise((done) => {
    const socket = new WebSocket(url, protocols);
    setTimeout(() => socket.close(), 5000);
    socket.onopen = () => {
      socket.close(1000);
      done(true);
    };
    socket.onclose = () => done(false);
  });
}

/**
 * @param {string[]} protocols
 * @param {string} token
 * @returns {string[]} the subprotocols to offer, the token among them
 */
export function offered(protocols, token) {
  if (!token) return protocols;
  return [...(protocols.length ? protocols : [SUBPROTOCOL]), TOKEN_SUBPROTOCOL + toBase64Url(new TextEncoder().encode(token))];
}

/**
 * @param {string} extensions as the browser states them (RFC 6455 section 9.1)
 * @returns {string}
 */
export function extensionsInWords(extensions) {
  return /^permessage-deflate\b/.test(extensions) ? "compressed (deflate)" : extensions;
}
