import { characterAt, position } from "./position.js";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value += 1) VALUES[ALPHABET.charCodeAt(value)] = value;
VALUES["-".charCodeAt(0)] = 62;
VALUES["_".charCodeAt(0)] = 63;
const PIECE = 6144; // a multiple of 3, so that only the last piece has padding

/**
 * Bytes in base64 with padding (RFC 4648 section 4).
 * @param {Uint8Array} bytes
 */
export function toBase64(bytes) {
  const pieces = [];
  for (let from = 0; from < bytes.length; from += PIECE) pieces.push(encoded(bytes.subarray(from, from + PIECE)));
  return pieces.join("");
}

/**
 * Bytes in base64url without padding (RFC 4648 section 5), as subprotocol names carry them.
 * @param {Uint8Array} bytes
 */
export function toBase64Url(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function encoded(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const bits = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
    text += ALPHABET[bits >> 18] + ALPHABET[(bits >> 12) & 63];
    text += at + 1 < bytes.length ? ALPHABET[(bits >> 6) & 63] : "=";
    text += at + 2 < bytes.length ? ALPHABET[bits & 63] : "=";
  }
  return text;
}

/**
 * Reads base64 of either alphabet (RFC 4648 sections 4 and 5). Whitespace is skipped; padding may be left out.
 * @param {string} text
 * @returns {{bytes: Uint8Array, problem: null | {index: number, line: number, column: number, message: string}}}
 *   `bytes` holds what was read before the problem
 */
export function parseBase64(text) {
  const bytes = new Uint8Array(Math.ceil((text.length * 3) / 4));
  let count = 0;
  let bits = 0;
  let held = 0; // characters of the group that is being read
  let padding = 0;
  const fail = (index, message) => {
    const where = position(text, index);
    return {
      bytes: bytes.slice(0, count),
      problem: { ...where, message: `Line ${where.line}, column ${where.column}: ${message}` },
    };
  };
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) continue;
    if (code === 0x3d) {
      padding += 1;
      if (held < 2 || held + padding > 4) return fail(at, `"=" is padding, and none is missing here`);
      continue;
    }
    const value = code < 128 ? VALUES[code] : -1;
    if (value < 0) return fail(at, `${characterAt(text, at)} is not a character of base64`);
    if (padding) return fail(at, `${characterAt(text, at)} follows the padding`);
    bits = (bits << 6) | value;
    held += 1;
    if (held === 4) {
      bytes[count] = bits >> 16;
      bytes[count + 1] = bits >> 8;
      bytes[count + 2] = bits;
      count += 3;
      held = 0;
      bits = 0;
    }
  }
  if (held === 1) return fail(text.length, "a single character is left; a group has two to four");
  if (padding && held + padding < 4) return fail(text.length, `one more "=" is missing`);
  if (held > 1) bytes[count] = bits >> (held === 2 ? 4 : 10);
  if (held === 3) bytes[count + 1] = bits >> 2;
  if (held > 1) count += held - 1;
  return { bytes: bytes.slice(0, count), problem: null };
}
