import { utf8Size } from "./utf8.js";

/**
 * The first byte in which two payloads differ; if one is the beginning of the other, the length of the shorter one.
 * @param {string | Uint8Array} one
 * @param {string | Uint8Array} other of the same type
 * @returns {number} index of a byte, for texts of their UTF-8; -1 if the payloads are the same
 */
export function differsAt(one, other) {
  if (typeof one === "string" && one === other) return -1;
  const index = commonStart(one, other);
  if (typeof one === "string") return utf8Size(one, index);
  return index === one.length && index === other.length ? -1 : index;
}

/**
 * Whether one payload looks like a changed version of the other: at least half of the longer one is the same at the
 * beginning and at the end.
 * @param {string | Uint8Array} one
 * @param {string | Uint8Array} other
 * @returns {boolean}
 */
export function isAlike(one, other) {
  if (typeof one !== typeof other) return false;
  const longer = Math.max(one.length, other.length);
  const shorter = Math.min(one.length, other.length);
  if (shorter * 2 < longer) return false;
  const start = commonStart(one, other);
  return (start + commonEnd(one, other, shorter - start)) * 2 >= longer;
}

function commonStart(one, other) {
  const end = Math.min(one.length, other.length);
  const unit = reader(one);
  let index = 0;
  while (index < end && unit(one, index) === unit(other, index)) index += 1;
  return index;
}

function commonEnd(one, other, most) {
  const unit = reader(one);
  let count = 0;
  while (count < most && unit(one, one.length - 1 - count) === unit(other, other.length - 1 - count)) count += 1;
  return count;
}

const reader = (payload) => (typeof payload === "string" ? unitOfText : unitOfBytes);
const unitOfText = (text, index) => text.charCodeAt(index);
const unitOfBytes = (bytes, index) => bytes[index];
