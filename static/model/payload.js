import { parseBase64, toBase64 } from "./base64.js";
import { parseHex, toHex } from "./hex.js";
import { readJson } from "./json-text.js";
import { utf8Of, utf8Size } from "./utf8.js";

/** @typedef {{kind: "text" | "binary", data: string | Uint8Array, size: number, problem: Problem | null}} Payload */
/** @typedef {{index: number, line: number, column: number, message: string}} Problem */

/**
 * What a composer's text means.
 * @param {"text" | "json" | "hex" | "base64"} kind
 * @param {string} text
 * @returns {Payload} `problem` is null, or says with line and column what is wrong. Wrong JSON can be sent as text; hex
 *   and base64 with a problem cannot be sent, and their data ends before it.
 */
export function readPayload(kind, text) {
  if (kind === "text" || kind === "json") {
    const problem = kind === "json" ? readJson(text).problem : null;
    return { kind: "text", data: text, size: utf8Size(text), problem };
  }
  const { bytes, problem } = kind === "hex" ? parseHex(text) : parseBase64(text);
  return { kind: "binary", data: bytes, size: bytes.length, problem };
}

/**
 * The composer's text for a message, so that it can be edited.
 * @param {string | Uint8Array} data
 * @returns {{kind: "text" | "json" | "hex", text: string}}
 */
export function editable(data) {
  if (typeof data !== "string") return { kind: "hex", text: toHex(data, " ") };
  const isJson = /^\s*[{[]/.test(data) && data.length < 1e6 && !readJson(data).problem;
  return { kind: isJson ? "json" : "text", text: data };
}

/**
 * The same message in another kind of the composer, or null where it cannot be said so.
 * @param {"text" | "json" | "hex" | "base64"} from
 * @param {"text" | "json" | "hex" | "base64"} to
 * @param {string} text
 */
export function converted(from, to, text) {
  const { kind, data, problem } = readPayload(from, text);
  if (problem && kind === "binary") return null;
  const isText = to === "text" || to === "json";
  if (isText) return kind === "text" ? data : utf8Of(data);
  const bytes = kind === "text" ? new TextEncoder().encode(data) : data;
  return to === "hex" ? toHex(bytes, " ") : toBase64(bytes);
}

/**
 * Random numbers that depend on the seed only (mulberry32).
 * @param {number} seed
 * @returns {() => number} integers from 0 to 2**32 - 1
 */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/**
 * A payload of exactly `size` bytes.
 * @param {{size: number, filling: "counter" | "zeros" | "random" | "json", seed?: number}} wanted `seed` is for random
 * @returns {Payload} text for JSON, else binary
 */
export function generate({ size, filling, seed = 1 }) {
  if (filling === "json") return { kind: "text", data: jsonOfSize(size), size, problem: null };
  const data = new Uint8Array(size);
  if (filling === "counter") for (let at = 0; at < size; at += 1) data[at] = at;
  if (filling === "random") {
    const next = randomNumbers(seed);
    for (let at = 0; at < size; at += 4) {
      const number = next();
      for (let byte = 0; byte < 4 && at + byte < size; byte += 1) data[at + byte] = number >>> (8 * byte);
    }
  }
  return { kind: "binary", data, size, problem: null };
}

function jsonOfSize(size) {
  const frame = '{"items":[],"end":""}';
  if (size < frame.length) return "1".repeat(size);
  const items = [];
  let left = size - frame.length;
  for (let id = 0; left > 200; id += 1) {
    const item = `{"id":${id},"name":"item ${id}","even":${id % 2 === 0}},`;
    items.push(item);
    left -= item.length;
  }
  const list = items.join("").slice(0, -1);
  return `{"items":[${list}],"end":"${".".repeat(left + (items.length ? 1 : 0))}"}`;
}

/**
 * Fills in a template: `{{n}}` is the number of the message, `{{time}}` the time, in ISO 8601.
 * @param {string} text
 * @param {{n: number, time: number}} values time in ms since the epoch
 */
export function filled(text, { n, time }) {
  if (!text.includes("{{")) return text;
  return text.replaceAll("{{n}}", String(n)).replaceAll("{{time}}", () => new Date(time).toISOString());
}
