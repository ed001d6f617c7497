// RFC 6455 section 7.4.1, with the later entries of its IANA registry.
const MEANINGS = {
  1000: "normal closure",
  1001: "going away",
  1002: "protocol error",
  1003: "unsupported data",
  1004: "reserved",
  1005: "no code in the Close",
  1006: "no Close received",
  1007: "invalid data, such as text that is not UTF-8",
  1008: "policy violation",
  1009: "message too big",
  1010: "a required extension is missing",
  1011: "internal error of the server",
  1012: "service restart",
  1013: "try again later",
  1014: "bad gateway",
  1015: "TLS handshake failed",
};

/** The longest reason of a Close, in bytes of UTF-8 (RFC 6455 sections 5.5 and 5.5.1). */
export const LONGEST_REASON = 123;

/**
 * Idle limits that proxies and load balancers have by default, according to their documentation.
 * @type {{seconds: number, of: string}[]}
 */
export const IDLE_LIMITS = [
  { seconds: 55, of: "Heroku's router" },
  { seconds: 60, of: "nginx (proxy_read_timeout), AWS application load balancers" },
  { seconds: 100, of: "Cloudflare" },
  { seconds: 240, of: "Azure load balancers" },
  { seconds: 300, of: "Envoy (stream_idle_timeout)" },
  { seconds: 350, of: "AWS network load balancers and NAT gateways" },
  { seconds: 600, of: "Google Cloud connection tracking" },
];

/**
 * @param {number} code close code (RFC 6455 section 7.4)
 * @returns {string} what the code means, in a few words
 */
export function closeMeaning(code) {
  if (code >= 4000 && code <= 4999) return "private use";
  if (code >= 3000 && code <= 3999) return "registered by a library or framework";
  return MEANINGS[code] ?? "unassigned";
}

/**
 * Whether a page may send the code: browsers allow 1000 and 3000 to 4999.
 * @param {number} code
 * @returns {boolean}
 */
export function maySend(code) {
  return code === 1000 || (Number.isInteger(code) && code >= 3000 && code <= 4999);
}

/**
 * The known idle limit that a silence is close to: at most 1 s shorter, at most 2 s (or 2 %) longer.
 * @param {number} silentFor ms without a message in either direction
 * @returns {number | null} seconds
 */
export function idleLimit(silentFor) {
  const silent = silentFor / 1000;
  const near = ({ seconds }) => silent >= seconds - 1 && silent <= seconds + Math.max(2, seconds * 0.02);
  return IDLE_LIMITS.find(near)?.seconds ?? null;
}

/**
 * Quote a text from the network. Characters that cannot be seen, or that change the order of others, are written as
 * U+202E and so on.
 * @param {string} text
 * @returns {string}
 */
export function quoted(text) {
  const hidden = /[\p{C}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;
  const shown = text.replace(hidden, (found) => `[U+${hexadecimal(found.codePointAt(0))}]`);
  return `"${shown.replace(/\p{M}{5,}/gu, (marks) => `[${[...marks].length} combining marks]`)}"`;
}

const hexadecimal = (value) => value.toString(16).toUpperCase().padStart(4, "0");

/**
 * A duration in a sentence: "17 ms", "0.4 s", "42 s", "3 min 5 s", "2 h 4 min".
 * @param {number} ms
 * @returns {string}
 */
export function durationInWords(ms) {
  if (ms < 100) return `${Math.floor(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 60)} h`;
}

/**
 * How a connection ended, in words.
 * @param {{code: number, reason: string, clean: boolean, byPage: boolean, openFor: number, silentFor: number}} close
 *   `openFor` and `silentFor` in ms; `byPage`: this page sent its Close first
 * @returns {string}
 */
export function closeSentence(close) {
  if (close.code === 1006) return abnormal(close);
  const who = close.byPage ? "this page" : "the server";
  const parts = close.code === 1005 ? ["without a code"] : [String(close.code), closeMeaning(close.code)];
  if (close.reason) parts.push(quoted(close.reason));
  const separator = close.code === 1005 ? " " : ": ";
  return `Closed by ${who}${separator}${parts.join(", ")}. Open for ${durationInWords(close.openFor)}.`;
}

function abnormal({ byPage, openFor, silentFor }) {
  if (byPage) return `Ended without a Close from the server, which did not answer this page's Close. ${open(openFor)}`;
  const limit = idleLimit(silentFor);
  if (limit === null) return `Ended without a Close, ${silence(silentFor)}. ${open(openFor)}`;
  return (
    `Ended without a Close after ${(silentFor / 1000).toFixed(1)} s of silence. ` +
    `Looks like an idle limit of ${limit} s between here and the server.`
  );
}

/**
 * What the sentence leaves open.
 * @param {{code: number, byPage: boolean}} close
 * @returns {{text: string, tone: string}[]}
 */
export function closeDetails({ code, byPage }) {
  if (code !== 1006 || byPage) return [];
  const text =
    "Either the connection was cut, or the server broke the protocol, for example with text that is not UTF-8. " +
    "Browsers tell pages the same about both. In the second case, the console of the browser says what was wrong.";
  return [{ text, tone: "info" }];
}

const open = (ms) => `Open for ${durationInWords(ms)}.`;
const silence = (ms) => (ms < 1000 ? "in the middle of traffic" : `after ${durationInWords(ms)} of silence`);

/**
 * How serious an end is.
 * @param {{code: number, clean: boolean}} close
 * @returns {"info" | "warning" | "error"}
 */
export function closeTone({ code, clean }) {
  if (!clean || code === 1002 || code === 1007 || code === 1011) return "error";
  return code === 1000 || code === 1001 || code === 1005 ? "info" : "warning";
}
