import { characterAt, position } from "./position.js";
import { utf8Of } from "./utf8.js";

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const PIECE = 8192;

/**
 * Bytes as two lower-case digits each.
 * @param {Uint8Array} bytes
 * @param {string} separator between two bytes
 */
export function toHex(bytes, separator = "") {
  const pieces = [];
  for (let from = 0; from < bytes.length; from += PIECE) {
    pieces.push(Array.from(bytes.subarray(from, from + PIECE), (byte) => DIGITS[byte]).join(separator));
  }
  return pieces.join(separator);
}

/**
 * One row of a hex view.
 * @param {Uint8Array} bytes
 * @param {number} from index of the first byte of the row
 * @param {number} width most bytes in a row
 * @returns {{offset: string, digits: string[], characters: string}} bytes that are not printable ASCII become "·"
 */
export function hexRow(bytes, from, width) {
  const row = Array.from(bytes.subarray(from, from + width));
  return {
    offset: from.toString(16).padStart(8, "0"),
    digits: row.map((byte) => DIGITS[byte]),
    characters: row.map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : "·")).join(""),
  };
}

/**
 * Reads typed hex. Whitespace, commas, colons, semicolons, `0x` and `\x` may stand between bytes; the two digits of a
 * byte stand together.
 * @param {string} text
 * @returns {{bytes: Uint8Array, problem: null | {index: number, line: number, column: number, message: string}}}
 *   `bytes` holds what was read before the problem
 */
export function parseHex(text) {
  const bytes = new Uint8Array(text.length >> 1);
  let count = 0;
  let at = 0;
  const fail = (index, message) => {
    const where = position(text, index);
    return {
      bytes: bytes.slice(0, count),
      problem: { ...where, message: `Line ${where.line}, column ${where.column}: ${message}` },
    };
  };
  while (at < text.length) {
    if (isBetween(text, at)) {
      at += 1;
    } else if (isPrefix(text, at)) {
      at += 2;
    } else {
      const high = digit(text.charCodeAt(at));
      if (high < 0) return fail(at, `${characterAt(text, at)} is not a hex digit`);
      const low = digit(text.charCodeAt(at + 1));
      if (low < 0) {
        const next = characterAt(text, at + 1);
        return fail(at + 1, `a byte has two hex digits, and after "${text[at]}" comes ${next}`);
      }
      bytes[count] = high * 16 + low;
      count += 1;
      at += 2;
    }
  }
  return { bytes: bytes.slice(0, count), problem: null };
}

function isBetween(text, at) {
  return " \t\r\n,:;".includes(text[at]);
}

function isPrefix(text, at) {
  const isStart = at === 0 || isBetween(text, at - 1) || text[at] === "\\";
  return isStart && (text[at] === "0" || text[at] === "\\") && (text[at + 1] === "x" || text[at + 1] === "X");
}

function digit(code) {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * What a selected range of bytes means as a number and as text.
 * @param {Uint8Array} bytes at most the first 64 of the range are read
 * @returns {{name: string, value: string}[]} integers for 1 to 8 bytes, floats for 4 and 8, UTF-8 where it is valid
 */
export function readings(bytes) {
  const read = [];
  if (bytes.length >= 1 && bytes.length <= 8) {
    const orders = bytes.length === 1 ? [""] : ["big-endian", "little-endian"];
    for (const order of orders) {
      const digits = toHex(order === "little-endian" ? bytes.slice().reverse() : bytes);
      const unsigned = BigInt(`0x${digits}`);
      read.push({ name: named("unsigned", order), value: String(unsigned) });
      read.push({ name: named("signed", order), value: String(BigInt.asIntN(bytes.length * 8, unsigned)) });
      const float = floatOf(bytes, order === "little-endian");
      if (float !== undefined) read.push({ name: named("float", order), value: String(float) });
    }
  }
  const text = utf8Of(bytes.subarray(0, 64));
  if (text) read.push({ name: "UTF-8", value: text });
  return read;
}

function named(name, order) {
  return order ? `${name}, ${order}` : name;
}

function floatOf(bytes, littleEndian) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return view.getFloat32(0, littleEndian);
  return bytes.length === 8 ? view.getFloat64(0, littleEndian) : undefined;
}
