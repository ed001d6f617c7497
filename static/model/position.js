/**
 * Where an index of a text is, for error messages.
 * @param {string} text
 * @param {number} index in UTF-16 code units
 * @returns {{index: number, line: number, column: number}} line and column count from 1, columns in characters
 */
export function position(text, index) {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < index; at = text.indexOf("\n", at + 1)) {
    line += 1;
    start = at + 1;
  }
  let column = 1;
  for (let at = start; at < index; at += text.codePointAt(at) > 0xffff ? 2 : 1) column += 1;
  return { index, line, column };
}

/**
 * The character at an index, quoted for an error message; "the end" after the last one.
 * @param {string} text
 * @param {number} index
 */
export function characterAt(text, index) {
  if (index >= text.length) return "the end";
  const code = text.codePointAt(index);
  const isVisible = code > 0x20 && code < 0x7f;
  return isVisible ? `"${text[index]}"` : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
