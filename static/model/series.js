import { utf8Size } from "./utf8.js";

const STAMP = 16; // bytes: run (4), number (4), time (8)
const LARGEST = 16 * 1024 * 1024;

/**
 * The payloads of one load. Generated ones carry the run, the number of the message and its time, if they are JSON or
 * have at least 16 bytes. All others of a load are the same.
 */
export class Series {
  /**
   * @param {{kind: "text" | "binary", data: string | Uint8Array} |
   *   {size: number, filling: "counter" | "zeros" | "random" | "json", seed: number}} payload
   * @param {number} run a number of the run
   */
  constructor(payload, run) {
    this.run = run >>> 0;
    this.isFixed = "data" in payload;
    this.payload = payload;
    this.isText = this.isFixed ? typeof payload.data === "string" : payload.filling === "json";
    this.template = this.isFixed ? payload.data : this.#template();
    this.isNumbered = !this.isFixed && (this.isText || this.template.length >= STAMP);
    this.size = this.isText ? utf8Size(this.make(0, 0)) : this.template.length;
  }

  #template() {
    const size = Math.floor(Math.min(LARGEST, Math.max(0, Number(this.payload.size) || 0)));
    if (this.isText) return "x".repeat(Math.max(0, size - this.#json(0, "").length));
    const bytes = new Uint8Array(size);
    if (this.payload.filling === "counter") for (let index = 0; index < size; index += 1) bytes[index] = index;
    if (this.payload.filling === "random") fillAtRandom(bytes, this.payload.seed ?? 1);
    return bytes;
  }

  // All numbers have the same width, so that all messages have the same size.
  #json(number, filling) {
    const padded = String(number).padStart(8, "0");
    return `{"run":${this.run},"number":"${padded}","filling":"${filling}"}`;
  }

  /**
   * The payload of a message.
   * @param {number} number from 0
   * @param {number} time ms
   * @returns {string | Uint8Array}
   */
  make(number, time) {
    if (this.isFixed || (!this.isText && !this.isNumbered)) return this.template;
    if (this.isText) return this.#json(number, this.template);
    const bytes = this.template.slice();
    const stamp = new DataView(bytes.buffer);
    stamp.setUint32(0, this.run);
    stamp.setUint32(4, number);
    stamp.setFloat64(8, time);
    return bytes;
  }

  /**
   * The number that a message carries.
   * @param {string | Uint8Array} data
   * @returns {number} -1 if it carries no number of this run
   */
  numberIn(data) {
    if (!this.isNumbered || (typeof data === "string") !== this.isText) return -1;
    if (this.isText) return this.#numberInJson(data);
    if (data.length < STAMP) return -1;
    const stamp = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return stamp.getUint32(0) === this.run ? stamp.getUint32(4) : -1;
  }

  #numberInJson(text) {
    const found = /^\{"run":(\d{1,10}),"number":"(\d{8,10})"/.exec(text);
    return found && Number(found[1]) === this.run ? Number(found[2]) : -1;
  }
}

function fillAtRandom(bytes, seed) {
  let state = seed >>> 0 || 1;
  for (let index = 0; index < bytes.length; index += 1) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
}
