/**
 * Characters that a font would not show, or that change how others are shown: controls, lone surrogates, line and
 * paragraph separators, ignorable characters (zero width, tags, variation selectors, fillers), bidirectional controls,
 * interlinear annotations; and more than four combining marks in a row.
 */
const HIDDEN = /\p{M}{5,}|[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{DI}\p{Bidi_C}\ufff9-\ufffb]/gu;
const EMOJI_BEFORE = /(?:\p{ExtPict}|\p{Emoji_Modifier}|\ufe0f|[#*\d])$/u;
const EMOJI_AFTER = /^\p{ExtPict}/u;

// Names from ASCII. Control pictures such as U+2400 are boxes in many fonts.
const CONTROLS = (
  "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split(" ");

const NAMES = new Map(
  Object.entries({
    "\u00ad": "soft hyphen", "\u034f": "grapheme joiner", "\u061c": "Arabic letter mark", "\u200b": "zero-width space",
    "\u200c": "zero-width non-joiner", "\u200d": "zero-width joiner", "\u200e": "left-to-right mark",
    "\u200f": "right-to-left mark", "\u2028": "line separator", "\u2029": "paragraph separator",
    "\u202a": "left-to-right embedding", "\u202b": "right-to-left embedding", "\u202c": "pop directional formatting",
    "\u202d": "left-to-right override", "\u202e": "right-to-left override", "\u2060": "word joiner",
    "\u2066": "left-to-right isolate", "\u2067": "right-to-left isolate", "\u2068": "first strong isolate",
    "\u2069": "pop directional isolate", "\ufeff": "byte order mark",
  }),
);

/**
 * A text as runs: ordinary text as it is, and chips for what a reader could not see.
 * @param {string} text
 * @param {{breaks?: boolean}} options `breaks`: line breaks and tabs become chips too, for texts of one line
 * @returns {{text: string, chip: string | null, title: string}[]} `text` is the original; joined, the runs give it back
 */
export function visibleRuns(text, { breaks = true } = {}) {
  return Array.from(runsOf(text, breaks));
}

function* runsOf(text, breaks) {
  let plain = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const [hidden] = match;
    const at = match.index;
    if (isHarmless(text, at, hidden, breaks)) continue;
    if (at > plain) yield { text: text.slice(plain, at), chip: null, title: "" };
    yield { text: hidden, ...chipOf(hidden) };
    plain = at + hidden.length;
  }
  if (plain < text.length) yield { text: text.slice(plain), chip: null, title: "" };
}

function isHarmless(text, at, hidden, breaks) {
  if (hidden === "\n" || hidden === "\t") return !breaks;
  if (hidden === "\r") return !breaks && text[at + 1] === "\n";
  if (hidden === "\ufe0f") return isEmoji(text.slice(Math.max(0, at - 2), at));
  if (hidden !== "\u200d") return false;
  return isEmoji(text.slice(Math.max(0, at - 2), at)) && EMOJI_AFTER.test(text.slice(at + 1, at + 3));
}

function isEmoji(before) {
  return EMOJI_BEFORE.test(before);
}

const known = new Map(); // chips of single characters

function chipOf(hidden) {
  if (hidden.length > 2) return marksChip(hidden);
  if (!known.has(hidden)) known.set(hidden, characterChip(hidden));
  return known.get(hidden);
}

function marksChip(marks) {
  const count = Array.from(marks).length;
  return { chip: `${count} marks`, title: `${count} combining marks, the first is ${numberOf(marks)}` };
}

function characterChip(hidden) {
  const code = hidden.codePointAt(0);
  const number = numberOf(hidden);
  if (code < 0x20) return { chip: CONTROLS[code], title: `control character ${number}` };
  if (code === 0x7f) return { chip: "DEL", title: `control character ${number}` };
  const name = NAMES.get(hidden) ?? (code >= 0xe0000 && code < 0xe0080 ? "tag" : "");
  return { chip: number, title: name ? `${name}, ${number}` : number };
}

function numberOf(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * The start of a text for a row of one line.
 * @param {string} text
 * @param {number} limit most UTF-16 code units that are shown
 * @returns {{text: string, chip: string | null, title: string}[]} ends in a run "…" if the text is longer
 */
export function rowRuns(text, limit) {
  if (text.length <= limit) return visibleRuns(text);
  const end = /[\ud800-\udbff]/.test(text[limit - 1]) ? limit - 1 : limit;
  return [...visibleRuns(text.slice(0, end)), { text: "…", chip: null, title: "" }];
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * The direction of a text: that of its first letter with one (UAX 9, rules P2 and P3, without isolates).
 * @param {string} text the first 1,000 code units are read
 * @returns {"ltr" | "rtl"}
 */
export function direction(text) {
  const [letter = ""] = /\p{L}/u.exec(text.slice(0, 1000)) ?? [];
  return RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
}

/**
 * Where the rows of a text begin when at most `columns` cells fit in one. Rows end at line breaks and at the last space
 * of their second half; a wide character takes two cells, a chip as many as its label and one more.
 * @param {string} text
 * @param {number} columns
 * @returns {number[]} indices; the first is 0. A row includes the line break that ends it.
 */
export function rowStarts(text, columns) {
  const starts = [0];
  const row = { start: 0, space: 0, used: 0 }; // `space`: where the row could end instead
  const begin = (at) => {
    starts.push(at);
    Object.assign(row, { start: at, used: 0 });
  };
  let at = 0;
  for (const { text: run, chip } of runsOf(text, false)) {
    const end = at + run.length;
    if (chip) {
      if (row.used + chip.length + 1 > columns && at > row.start) begin(at);
      row.used += chip.length + 1;
      at = end;
    }
    while (at < end) {
      const code = text.charCodeAt(at);
      const cells = cellsOf(code);
      if (cells > 0 && row.used + cells > columns && at > row.start) {
        const isLate = row.space > row.start + columns / 2;
        if (isLate) at = Math.max(row.space, end - run.length);
        begin(at);
        continue;
      }
      row.used += cells;
      at += 1;
      if (code === 0x0a) begin(at);
      else if (code === 0x20) row.space = at;
    }
  }
  return starts;
}

const cells = new Int8Array(65536).fill(-1); // by code unit, filled when one is needed

function cellsOf(code) {
  if (cells[code] < 0) cells[code] = countCells(code);
  return cells[code];
}

function countCells(code) {
  if (code === 0x09) return 4;
  if (code < 0x20 || code === 0x200d || (code >= 0xdc00 && code < 0xe000)) return 0;
  if (/\p{M}/u.test(String.fromCharCode(code))) return 0;
  return code < 0x1100 ? 1 : 2;
}
