// Scenarios that run in workers of their own, at most four at a time.
import { plan } from "../model/act.js";
import { toHex } from "../model/hex.js";
import { judge } from "../model/verdict.js";
import { offered } from "./connection.js";
import { startWorker } from "./worker.js";

const AT_ONCE = 4;
const SLACK = 5000;

/** Runs trials, and stops them. */
export class Trials {
  #context;
  #running = new Set();
  #generation = 0;

  /** @param {object} context of page.js */
  constructor(context) {
    this.#context = context;
  }

  /** The token for this server; empty without one. */
  get token() {
    return this.#context.connections.ownToken;
  }

  /**
   * @param {string} path path and query of a page of this server, without a slash at its beginning
   * @param {Object<string, string>} headers
   * @returns {Promise<Response>}
   */
  fetch(path, headers = {}) {
    const credentials = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    return fetch(this.#context.server.http(path), { headers: { ...headers, ...credentials }, cache: "no-store" });
  }

  /**
   * Run a row of the catalogue.
   * @param {import("../model/scenario.js").Row} row
   * @param {string} url path and query, of the row or changed
   * @param {object|null} expected what a browser must see of it
   * @returns {Promise<{verdict: string, rows: object[], run: object|null, reason: string}>} `run` is what line/trial.js
   *   reports, with the `key` of `/seen`; the `reason` says why there is none
   */
  async row(row, url, expected) {
    const none = (reason) => ({ ...judge(expected, null), run: null, reason });
    const planned = plan(row, expected);
    if (!planned) return none(`A page cannot do what this row asks for: ${row.act}.`);
    if (row.needs.includes("tls") && location.protocol !== "https:") return none("This row needs TLS.");
    const run = await this.run(url, planned);
    if (!run) return none("Stopped.");
    // With a token, a subprotocol is offered and selected that the row knows nothing of.
    const demanded = this.token && expected ? { ...expected, subprotocol: null } : expected;
    const judged = judge(demanded, run);
    // The handshake was refused, and should not have been.
    if (run.connections.some(({ opened }) => !opened) && judged.verdict !== "expected") {
      const refusal = await this.refusal(url);
      if (refusal) return none(`The server does not perform it: ${refusal}`);
    }
    return { ...judged, run, reason: "" };
  }

  /**
   * @param {string} url path and query of a scenario
   * @param {import("../model/act.js").Plan} plan
   * @returns {Promise<object|null>} what line/trial.js reports, with the `key`; null if it was stopped
   */
  async run(url, plan) {
    const generation = this.#generation;
    const given = /[?&]key=([^&]+)/.exec(url)?.[1];
    const key = given ?? randomKey();
    const keyed = given ? url : `${url}${url.includes("?") ? "&" : "?"}key=${key}`;
    const run = await this.#perform(this.#context.server.socket(keyed.slice(1)), plan);
    if (!run || generation !== this.#generation) return null;
    return { ...run, key };
  }

  #perform(url, plan) {
    return new Promise((resolve) => {
      const worker = startWorker("trial");
      const trial = { stop: () => finish(null) };
      const finish = (run) => {
        clearTimeout(timer);
        this.#running.delete(trial);
        // Time for the closing handshake of what is still open.
        setTimeout(() => worker.terminate(), run ? 1000 : 0);
        resolve(run);
      };
      const timer = setTimeout(() => finish(null), plan.within * 1000 + SLACK);
      worker.addEventListener("message", ({ data }) => finish(data));
      worker.addEventListener("error", () => finish(null));
      this.#running.add(trial);
      worker.postMessage({ url, protocols: offered([], this.token), plan });
    });
  }

  /**
   * Why the server does not perform a scenario, which a browser does not say: a plain GET does.
   * @param {string} url path and query
   * @returns {Promise<string>} empty if it performs it, or does not answer
   */
  async refusal(url) {
    try {
      const response = await this.fetch(url.slice(1), { Accept: "application/json" });
      if (response.status === 426) return "";
      const { error } = await response.json();
      return typeof error === "string" ? error.slice(0, 500) : "";
    } catch {
      return "";
    }
  }

  /**
   * Perform jobs, four at a time. Those that are `alone` come last and one after the other: a browser opens one
   * connection to an address at a time (RFC 6455 section 4.1), so each would wait for the other.
   * @param {{alone: boolean, run: () => Promise<void>}[]} jobs
   * @returns {Promise<boolean>} false if they were stopped
   */
  async all(jobs) {
    const generation = this.#generation;
    const rest = [...jobs.filter(({ alone }) => !alone), ...jobs.filter(({ alone }) => alone)];
    const work = async (index) => {
      while (rest.length && generation === this.#generation) {
        if (rest[0].alone && index > 0) return;
        await rest.shift().run();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(index)));
    return generation === this.#generation;
  }

  /** Stop all that runs and all that waits. */
  stop() {
    this.#generation += 1;
    for (const trial of [...this.#running]) trial.stop();
  }
}

function randomKey() {
  return toHex(crypto.getRandomValues(new Uint8Array(12)));
}
