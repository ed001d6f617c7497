import { differsAt, isAlike } from "./difference.js";

const MOST_WAITING = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
const COMPARED = 4;
const PATIENCE = 5000; // ms

/**
 * Replies matched by their content to what was sent. A reply that equals a message that waits is its echo; the oldest
 * one, if several are equal. A reply that resembles one of the oldest messages is an altered echo. All others are no
 * echoes.
 */
export class Echoes {
  /**
   * @param {number} [mostWaiting] messages
   * @param {number} [mostBytes] of payload, apart from one message of any size
   */
  constructor(mostWaiting = MOST_WAITING, mostBytes = MOST_BYTES) {
    this.mostWaiting = mostWaiting;
    this.mostBytes = mostBytes;
    this.waiting = new Map(); // key → entry, in the order of sending
    this.byContent = new Map(); // content → set of entries, in the order of sending
    this.bytes = 0;
    this.newest = -1; // key of the message sent last among those that came back
  }

  /**
   * Note a message that is sent.
   * @param {{key: number, data: string | Uint8Array, size: number, time: number}} message `key` grows from message to
   *   message; `size` in bytes; `time` in ms
   * @returns {number[]} keys of the messages that are given up because too many wait
   */
  send({ key, data, size, time }) {
    const entry = { key, data, size, time, content: contentOf(data), isLost: false };
    this.waiting.set(key, entry);
    if (!this.byContent.has(entry.content)) this.byContent.set(entry.content, new Set());
    this.byContent.get(entry.content).add(entry);
    this.bytes += size;
    const givenUp = [];
    while (this.waiting.size > 1 && (this.waiting.size > this.mostWaiting || this.bytes > this.mostBytes)) {
      const oldest = this.waiting.values().next().value;
      this.#remove(oldest);
      if (!oldest.isLost) givenUp.push(oldest.key);
    }
    return givenUp;
  }

  /**
   * Match a message that was received.
   * @param {string | Uint8Array} data
   * @param {number} time ms
   * @returns {{state: "same" | "differs" | "none", of: number | null, at: number, roundTrip: number, wasLost: boolean}}
   *   `of`: key of the sent message; `at`: the first byte that differs, or -1; `roundTrip` in ms, NaN if there is none;
   *   `wasLost`: the message had been given up
   */
  receive(data, time) {
    const entry = this.#equal(data);
    if (entry) return this.#found(entry, "same", -1, time);
    const altered = this.#resembling(data);
    if (altered) return this.#found(altered, "differs", differsAt(data, altered.data), time);
    return { state: "none", of: null, at: -1, roundTrip: NaN, wasLost: false };
  }

  #found(entry, state, at, time) {
    this.#remove(entry);
    this.newest = Math.max(this.newest, entry.key);
    return { state, of: entry.key, at, roundTrip: time - entry.time, wasLost: entry.isLost };
  }

  #equal(data) {
    for (const entry of this.byContent.get(contentOf(data)) ?? []) {
      if (typeof data === "string" || differsAt(data, entry.data) < 0) return entry;
    }
    return null;
  }

  #resembling(data) {
    let compared = 0;
    for (const entry of this.waiting.values()) {
      if (entry.isLost) continue;
      if (isAlike(data, entry.data)) return entry;
      compared += 1;
      if (compared === COMPARED) return null;
    }
    return null;
  }

  #remove(entry) {
    this.waiting.delete(entry.key);
    const equals = this.byContent.get(entry.content);
    equals.delete(entry);
    if (equals.size === 0) this.byContent.delete(entry.content);
    this.bytes -= entry.size;
  }

  /**
   * Give up messages that were overtaken by a later one and have waited for 5 s. One that comes back later is still
   * recognised.
   * @param {number} now ms
   * @returns {number[]} keys
   */
  expire(now) {
    const lost = [];
    for (const entry of this.waiting.values()) {
      if (entry.key > this.newest || now - entry.time < PATIENCE) break;
      if (!entry.isLost) lost.push(entry.key);
      entry.isLost = true;
    }
    return lost;
  }

  /**
   * Give up all messages, because the connection has ended.
   * @returns {number[]} keys of those that had not been given up before
   */
  loseAll() {
    const keys = [...this.waiting.values()].filter(({ isLost }) => !isLost).map(({ key }) => key);
    this.waiting.clear();
    this.byContent.clear();
    this.bytes = 0;
    return keys;
  }
}

// Texts are their own content. Bytes are told apart by length and a hash (FNV-1a over at most 4,096 of them); equal
// hashes are followed by a comparison.
function contentOf(data) {
  if (typeof data === "string") return data;
  const step = Math.max(1, Math.floor(data.length / 4096));
  let hash = 0x811c9dc5;
  for (let index = 0; index < data.length; index += step) hash = Math.imul(hash ^ data[index], 0x01000193);
  return data.length * 2 ** 22 + (hash >>> 10);
}
