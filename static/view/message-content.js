import { utf8Of } from "../model/utf8.js";
import { looksLikeJson, readJson } from "../model/json-text.js";

const HEAD = 2 ** 20; // bytes that are read without being asked
const LONGEST_JSON = 2 ** 24; // characters

/** The payload of a row in every form that the Message panel shows, copies and sends. */
export class MessageContent {
  #payload;
  #text;
  #bytes;
  #json;

  /**
   * @param {Object} row of the log
   * @param {boolean} all read all of a long message, not only its first 1 MiB
   * @returns {Promise<MessageContent>}
   */
  static async of(row, all = false) {
    const { payload, kind } = row;
    if (!(payload instanceof Blob)) return new MessageContent(payload, typeof payload === "string", true);
    const isWhole = all || payload.size <= HEAD;
    const buffer = await (isWhole ? payload : payload.slice(0, HEAD)).arrayBuffer();
    const isText = payload.type === "text/plain" || kind === "text" || kind === "json"; // line/report.js sets the type
    return new MessageContent(new Uint8Array(buffer), isText, isWhole);
  }

  constructor(payload, isText, isWhole) {
    this.#payload = payload;
    /** Whether it came, or went, as a text message. */
    this.isText = isText;
    /** Whether all of it is here. */
    this.isWhole = isWhole;
  }

  /** The text, for binary messages too if they are valid UTF-8; else null. */
  get text() {
    if (this.#text === undefined) this.#text = this.#readText();
    return this.#text;
  }

  #readText() {
    if (typeof this.#payload === "string") return this.#payload;
    if (!this.isText) return this.isWhole && this.#payload.length ? utf8Of(this.#payload) : null;
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return decoder.decode(this.#payload, { stream: !this.isWhole });
  }

  /** The bytes, for texts those of their UTF-8. */
  get bytes() {
    if (typeof this.#payload !== "string") return this.#payload;
    this.#bytes ??= new TextEncoder().encode(this.#payload);
    return this.#bytes;
  }

  /** The JSON document that the text is; null if it is none, or not an object or an array. */
  get json() {
    if (this.#json === undefined) this.#json = this.#readJson();
    return this.#json;
  }

  #readJson() {
    const { text } = this;
    if (!this.isWhole || text === null || text.length > LONGEST_JSON || !looksLikeJson(text)) return null;
    const document = readJson(text);
    return document.problem ? null : document;
  }
}
