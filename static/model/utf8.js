/**
 * The bytes that a text takes in UTF-8, counted without encoding it. A lone surrogate counts as U+FFFD, which takes its
 * place when the text is sent.
 * @param {string} text
 * @param {number} [end] count only the code units before this index
 * @returns {number} bytes
 */
export function utf8Size(text, end = text.length) {
  let size = end;
  for (let index = 0; index < end; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) size += 1;
    else if (isPair(text, index, unit)) {
      // Two code units become four bytes.
      size += 2;
      index += 1;
    } else size += 2;
  }
  return size;
}

function isPair(text, index, unit) {
  if (unit < 0xd800 || unit > 0xdbff) return false;
  const next = text.charCodeAt(index + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}

/**
 * The text of bytes that are valid UTF-8 (RFC 3629), with a byte order mark kept; else null.
 * @param {Uint8Array} bytes
 */
export function utf8Of(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
