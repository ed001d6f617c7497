// What successive reads of the server's metrics say: rates are differences between two of them.
import { increase, increases, quantile, total, totals } from "./metrics-text.js";

const SHOWN = 120_000;
const MOST_NAMED = 3;
const REFUSALS = "websocket_handshakes_total";
const NONE = "none in 2 minutes";

/** The reads of the last two minutes, as six tiles. */
export class ServerHistory {
  #reads = [];

  /**
   * @param {number} time ms
   * @param {Map<string, object[]>} samples what `parseMetrics` returns
   */
  push(time, samples) {
    const refused = totals(samples, REFUSALS, "reason", { outcome: "refused" });
    for (const [reason, count] of totals(samples, "websocket_refused_connections_total", "reason")) {
      refused.set(reason, (refused.get(reason) ?? 0) + count);
    }
    this.#reads.push({
      time,
      active: total(samples, "websocket_active_connections"),
      received: total(samples, "websocket_messages_received_total"),
      sent: total(samples, "websocket_messages_sent_total"),
      receivedBytes: total(samples, "websocket_received_bytes_total"),
      sentBytes: total(samples, "websocket_sent_bytes_total"),
      sizes: totals(samples, "websocket_message_size_bytes_bucket", "le"),
      closes: totals(samples, "websocket_closes_total", "code"),
      refused,
    });
    while (this.#reads[0].time < time - SHOWN) this.#reads.shift();
  }

  /** Forget all reads. */
  clear() {
    this.#reads = [];
  }

  /**
   * @param {{integer: (value: number) => string, bytes: (value: number) => string}} write numbers for people
   * @returns {{title: string, metric: string, value: string, detail: string, values: number[]}[]} `values` are those of
   *   the sparkline, oldest first
   */
  tiles({ integer, bytes }) {
    const { integer: count, bytes: size } = {
      integer: (value) => (Number.isFinite(value) ? integer(value) : "–"),
      bytes: (value) => (Number.isFinite(value) ? bytes(value) : "–"),
    };
    const last = this.#reads.at(-1);
    if (!last) return [];
    const rates = Object.fromEntries(
      ["received", "sent", "receivedBytes", "sentBytes"].map((name) => [name, this.#rates((read) => read[name])]),
    );
    const now = (name) => rates[name].at(-1);
    const [sizes, closes, refused] = ["sizes", "closes", "refused"].map((name) => this.#grown(name));
    const all = (name) => (read) => sum(read[name]);
    const named = (map) => ranked(map).map(([key, value]) => `${key}: ${integer(value)}`).join(" · ") || NONE;
    const active = this.#reads.map((read) => read.active);
    return [
      tile("Connections", "websocket_active_connections", count(last.active), "open now", active),
      tile("Messages a second", "websocket_messages_received_total", `↓ ${count(now("received"))}`,
        `sent ↑ ${count(now("sent"))}`, rates.received),
      tile("Payload a second", "websocket_received_bytes_total", `↓ ${size(now("receivedBytes"))}`,
        `sent ↑ ${size(now("sentBytes"))}`, rates.receivedBytes),
      tile("Message sizes", "websocket_message_size_bytes", `p50 ${size(quantile(sizes, 0.5))}`,
        `p99 ${size(quantile(sizes, 0.99))}, interpolated`, this.#sizes()),
      tile("Closes", "websocket_closes_total", integer(sum(closes)), named(closes), this.#rates(all("closes"))),
      tile("Refusals", REFUSALS, integer(sum(refused)), named(refused), this.#rates(all("refused"))),
    ];
  }

  #pairs(take) {
    return this.#reads.slice(1).map((after, index) => take(this.#reads[index], after));
  }

  #rates(value) {
    return this.#pairs((before, after) => {
      return increase(value(before), value(after)) / Math.max(0.001, (after.time - before.time) / 1000);
    });
  }

  #sizes() {
    return this.#pairs((before, after) => quantile(cumulated(before.sizes, after.sizes), 0.5));
  }

  // What was counted while the panel was read, over restarts of the server too.
  #grown(name) {
    const sums = new Map();
    const between = name === "sizes" ? cumulated : increases;
    for (const grown of this.#pairs((before, after) => between(before[name], after[name]))) {
      for (const [key, value] of grown) sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return sums;
  }
}

const tile = (title, metric, value, detail, values) => ({ title, metric, value, detail, values });
const sum = (map) => [...map.values()].reduce((all, each) => all + each, 0);
const ranked = (map) => [...map].sort(([, one], [, other]) => other - one).slice(0, MOST_NAMED);
// Buckets that have not grown stay: the counts are cumulative.
const cumulated = (before, after) =>
  new Map([...after].map(([key, value]) => [key, increase(before.get(key) ?? 0, value)]));
