import { characterAt, position } from "./position.js";

const INLINE = 60; // most characters of an array of scalars that stays on one line
const DEEPEST = 40; // levels that are indented: more would cost the square of the depth

/**
 * Reads JSON (RFC 8259) into tokens without converting any value, so that numbers, duplicate keys, the order of keys
 * and escapes stay as they are. Depth is not limited; the cost is linear.
 * @param {string} text
 * @returns {{text: string, kinds: string[], starts: number[], ends: number[], partners: number[],
 *   problem: null | {index: number, line: number, column: number, message: string}}}
 *   kinds are `{ } [ ] , :` and key, string, number, literal; `partners` has the index of the other bracket for
 *   brackets, else -1
 */
export function readJson(text) {
  const document = { text, kinds: [], starts: [], ends: [], partners: [], problem: null };
  const { kinds, starts, ends, partners } = document;
  const open = []; // tokens of brackets that are not closed yet
  let expected = "value"; // value, firstValue, key, firstKey, colon, after
  let at = skipSpace(text, 0);
  const add = (kind, end) => {
    kinds.push(kind);
    starts.push(at);
    ends.push(end);
    partners.push(-1);
    at = skipSpace(text, end);
  };
  const fail = (index, message) => {
    const where = position(text, index);
    document.problem = { ...where, message: `Line ${where.line}, column ${where.column}: ${message}` };
    return document;
  };
  const close = (kind) => {
    const opener = open.pop();
    partners[opener] = kinds.length;
    add(kind, at + 1);
    partners[partners.length - 1] = opener;
    expected = "after";
  };
  while (at < text.length) {
    const character = text[at];
    const opener = open.length ? kinds[open[open.length - 1]] : "";
    if (expected === "after") {
      if (!opener) return fail(at, `${characterAt(text, at)} follows the end of the document`);
      if (character === (opener === "{" ? "}" : "]")) close(character);
      else if (character === ",") {
        add(",", at + 1);
        expected = opener === "{" ? "key" : "value";
      } else return fail(at, `"," or "${opener === "{" ? "}" : "]"}" is expected, not ${characterAt(text, at)}`);
    } else if (expected === "colon") {
      if (character !== ":") return fail(at, `":" is expected after the key, not ${characterAt(text, at)}`);
      add(":", at + 1);
      expected = "value";
    } else if (expected === "key" || expected === "firstKey") {
      if (character === "}" && expected === "firstKey") close("}");
      else if (character === '"') {
        const { end, message } = stringEnd(text, at);
        if (message) return fail(end, message);
        add("key", end);
        expected = "colon";
      } else return fail(at, `a key in double quotes is expected, not ${characterAt(text, at)}`);
    } else if (character === "]" && expected === "firstValue") {
      close("]");
    } else if (character === "{" || character === "[") {
      open.push(kinds.length);
      add(character, at + 1);
      expected = character === "{" ? "firstKey" : "firstValue";
    } else {
      const { kind, end, message } = scalarEnd(text, at);
      if (message) return fail(end, message);
      add(kind, end);
      expected = "after";
    }
  }
  if (open.length) {
    const opened = position(text, starts[open[open.length - 1]]);
    const bracket = `"${kinds[open[open.length - 1]]}" of line ${opened.line}, column ${opened.column}`;
    return fail(text.length, `the document ends within the ${bracket}`);
  }
  return expected === "after" ? document : fail(text.length, "there is no value");
}

function skipSpace(text, at) {
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
  }
  return at;
}

function stringEnd(text, start) {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return { end: at + 1 };
    if (code < 0x20) return { end: at, message: `${characterAt(text, at)} must be written as an escape in a string` };
    if (code === 0x5c) {
      at += 1;
      if (text[at] === "u") {
        if (!/^[\da-f]{4}$/i.test(text.slice(at + 1, at + 5))) {
          return { end: at + 1, message: "four hex digits are expected after \\u" };
        }
        at += 4;
      } else if (at < text.length && !'"\\/bfnrt'.includes(text[at])) {
        return { end: at, message: `\\ cannot stand before ${characterAt(text, at)}` };
      }
    }
  }
  return { end: text.length, message: `the string of column ${position(text, start).column} has no closing quote` };
}

const WORD = /[\w+.-]*/y;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function scalarEnd(text, start) {
  if (text[start] === '"') return { kind: "string", ...stringEnd(text, start) };
  WORD.lastIndex = start;
  const [word] = WORD.exec(text);
  const end = start + word.length;
  if (word === "true" || word === "false" || word === "null") return { kind: "literal", end };
  if (NUMBER.test(word)) return { kind: "number", end };
  if (!word) return { end: start, message: `a value is expected, not ${characterAt(text, start)}` };
  const shown = word.length > 20 ? `${word.slice(0, 20)}…` : word;
  return { end: start, message: `"${shown}" is neither a number nor true, false or null` };
}

/**
 * Whether a text is worth the JSON view: it looks like an object or an array.
 * @param {string} text
 */
export function looksLikeJson(text) {
  const first = text[skipSpace(text, 0)];
  return first === "{" || first === "[";
}

/**
 * The lines of a formatted document.
 * @param {ReturnType<typeof readJson>} document without a problem
 * @param {Set<number>} folded opening brackets whose content is hidden
 * @returns {{depth: number, from: number, to: number, opener: number, folded: boolean}[]} the tokens from (included) to
 *   (excluded) of each line; `opener` is the bracket that the line can fold, or -1. A folded line has the tokens up to
 *   its opening bracket.
 */
export function jsonLines(document, folded = new Set()) {
  const { kinds, partners } = document;
  const lines = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < kinds.length; at += 1) {
    const kind = kinds[at];
    if (kind === "{" || kind === "[") {
      if (folded.has(at)) {
        lines.push({ depth, from, to: at + 1, opener: at, folded: true });
        at = partners[at];
        if (kinds[at + 1] === ",") at += 1;
        from = at + 1;
      } else if (isInline(document, at)) {
        at = partners[at];
        const next = kinds[at + 1];
        if (next === ",") at += 1;
        lines.push({ depth, from, to: at + 1, opener: -1, folded: false });
        from = at + 1;
      } else {
        lines.push({ depth, from, to: at + 1, opener: at, folded: false });
        from = at + 1;
        depth += 1;
      }
    } else if (kind === "}" || kind === "]") {
      if (from < at) lines.push({ depth, from, to: at, opener: -1, folded: false });
      depth -= 1;
      if (kinds[at + 1] === ",") {
        lines.push({ depth, from: at, to: at + 2, opener: -1, folded: false });
        at += 1;
      } else lines.push({ depth, from: at, to: at + 1, opener: -1, folded: false });
      from = at + 1;
    } else if (kind === ",") {
      lines.push({ depth, from, to: at + 1, opener: -1, folded: false });
      from = at + 1;
    }
  }
  if (from < kinds.length) lines.push({ depth, from, to: kinds.length, opener: -1, folded: false });
  return lines;
}

function isInline({ kinds, starts, ends, partners }, opener) {
  const closer = partners[opener];
  if (closer === opener + 1) return true;
  if (kinds[opener] === "{") return false;
  let length = 1;
  for (let at = opener + 1; at < closer && length <= INLINE; at += 1) {
    if (kinds[at] === "{" || kinds[at] === "[") return false;
    length += ends[at] - starts[at] + (kinds[at] === "," ? 1 : 0);
  }
  return length <= INLINE;
}

/**
 * The pieces of a line: its tokens as they are, with one space after colons and inner commas.
 * @param {ReturnType<typeof readJson>} document
 * @param {{from: number, to: number, folded: boolean, opener: number}} line
 * @returns {{kind: string, text: string, token: number}[]}
 */
export function linePieces({ text, kinds, starts, ends, partners }, { from, to, folded, opener }) {
  const pieces = [];
  for (let at = from; at < to; at += 1) {
    pieces.push({ kind: kinds[at], text: text.slice(starts[at], ends[at]), token: at });
    if (kinds[at] === ":" || (kinds[at] === "," && at + 1 < to)) pieces.push({ kind: "space", text: " ", token: -1 });
  }
  if (folded) {
    const closer = partners[opener];
    const comma = kinds[closer + 1] === "," ? "," : "";
    pieces.push({ kind: "fold", text: "…", token: opener });
    pieces.push({ kind: kinds[closer], text: kinds[closer] + comma, token: closer });
  }
  return pieces;
}

/**
 * Number of members of the object, or of elements of the array, that a bracket opens.
 * @param {ReturnType<typeof readJson>} document
 * @param {number} opener
 */
export function memberCount({ kinds, partners }, opener) {
  const closer = partners[opener];
  if (closer === opener + 1) return 0;
  let count = 1;
  for (let at = opener + 1; at < closer; at += 1) {
    if (partners[at] > at) at = partners[at];
    else if (kinds[at] === ",") count += 1;
  }
  return count;
}

/**
 * The brackets to fold so that only the outer levels are open.
 * @param {ReturnType<typeof readJson>} document
 * @param {number} levels levels that stay open
 */
export function foldsBelow({ kinds, partners }, levels) {
  const folds = new Set();
  let depth = 0;
  for (let at = 0; at < kinds.length; at += 1) {
    if (partners[at] < 0) continue;
    if (partners[at] < at) depth -= 1;
    else if (depth < levels || partners[at] === at + 1) depth += 1;
    else {
      folds.add(at);
      at = partners[at];
    }
  }
  return folds;
}

/**
 * The document with line breaks and two spaces a level, for 40 levels; every token stays as it is.
 * @param {ReturnType<typeof readJson>} document without a problem
 */
export function formatted(document) {
  const indented = (line) => "  ".repeat(Math.min(line.depth, DEEPEST)) + lineText(document, line);
  return jsonLines(document).map(indented).join("\n");
}

/**
 * @param {ReturnType<typeof readJson>} document
 * @param {object} line of jsonLines
 * @returns {string} the text of the line's pieces
 */
export function lineText(document, line) {
  return linePieces(document, line).map((piece) => piece.text).join("");
}

/**
 * Length of the text of a line, counted without making it.
 * @param {ReturnType<typeof readJson>} document
 * @param {object} line of jsonLines, not folded
 */
export function lineLength({ kinds, starts, ends }, { from, to }) {
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const isSpaced = kinds[at] === ":" || (kinds[at] === "," && at + 1 < to);
    length += ends[at] - starts[at] + (isSpaced ? 1 : 0);
  }
  return length;
}

/**
 * The JSON inside a string token, if the string holds an object or an array.
 * @param {string} token with its quotes
 * @returns {ReturnType<typeof readJson> | null}
 */
export function innerJson(token) {
  if (!/^"\s*[{[]/.test(token)) return null;
  const document = readJson(JSON.parse(token));
  return document.problem ? null : document;
}
