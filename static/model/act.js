// What a test does with its client in a row of the catalogue (docs/scenarios.md has the words), as a browser can do it.

const ALPHABET = "abcdefghijklmnopqrstuvwxyz";
const MOST_MESSAGES = 1000;
const MOST_BYTES = 16 << 20;
const MOST_CONNECTIONS = 20;

/**
 * @typedef {{messages: string[], echo: boolean, close: boolean, repeat: boolean, protocols: string[],
 *   connections: number, untilOpen: boolean}} Act `messages` are text, or `size:` and a size for a generated one
 */

/** The act of a client that only reads. */
export const WAIT = {
  ...{ messages: [], echo: false, close: false, repeat: false },
  ...{ protocols: [], connections: 1, untilOpen: false },
};

/**
 * @param {string} text the `act` of a row
 * @returns {Act|null} null if a page cannot do it, as it can send no pings and no header fields
 */
export function parseAct(text) {
  const act = { ...WAIT, messages: [] };
  for (let rest = text; rest; ) {
    const part = PARTS.find(([pattern]) => pattern.test(rest));
    if (!part) return null;
    const match = part[0].exec(rest);
    if (part[1](act, match) === false) return null;
    rest = rest.slice(match[0].length).replace(/^, /, "");
  }
  return text ? act : null;
}

const END = "(?=$|, )";
const part = (pattern, change) => [new RegExp(`^${pattern}${END}`, "u"), change];
const PARTS = [
  part("wait", () => {}),
  part("echo", (act) => (act.echo = true)),
  part("close(?: after the first message)?", (act) => (act.close = true)),
  part("offer the subprotocols (\\S+) and (\\S+)", (act, [, one, other]) => (act.protocols = [one, other])),
  part("connect again", (act) => (act.connections = 2)),
  part("connect until it opens", (act) => Object.assign(act, { connections: MOST_CONNECTIONS, untilOpen: true })),
  part("connect, and connect again after each connection, (\\d{1,2}) in all", (act, [, count]) => {
    act.connections = Number(count);
    return act.connections >= 1 && act.connections <= MOST_CONNECTIONS;
  }),
  part("send (\\S+) each second", (act, [, message]) => Object.assign(act, { messages: [message], repeat: true })),
  part("send (\\d{1,4}) of size (\\d{1,9}(?:[KM]iB|B)?)", (act, [, count, size]) => {
    act.messages = Array(Math.min(Number(count), MOST_MESSAGES)).fill(`size:${size}`);
    return Number(count) <= MOST_MESSAGES;
  }),
  part("send (?!the token )([^\\s,]+)", (act, [, message]) => act.messages.push(message)),
  // The other messages of `send one, two, three`: any word behind a message that is no other part.
  part("([^\\s,]+)", (act, [, message]) => act.messages.length > 0 && act.messages.push(message) > 0),
];

/**
 * The text that the server's `size:` stands for: the number of the message, a colon, the alphabet again and again, a
 * colon and the CRC-32 of all before it. What is too short for that is the alphabet.
 * @param {number} size bytes, which are ASCII
 * @param {number} number of the message, from 1
 * @returns {string}
 */
export function generated(size, number) {
  const head = `${number}:`;
  const room = size - head.length - 9;
  if (room < 0) return ALPHABET.slice(0, size);
  const body = `${head}${ALPHABET.repeat(Math.ceil(room / ALPHABET.length)).slice(0, room)}`;
  return `${body}:` + (crc32(body) >>> 0).toString(16).padStart(8, "0");
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function crc32(ascii) {
  let crc = -1;
  for (let index = 0; index < ascii.length; index++) crc = (crc >>> 8) ^ CRC[(crc ^ ascii.charCodeAt(index)) & 255];
  return ~crc;
}

/**
 * @param {string} listed a message as a row lists it: text, `hex:` for a binary one, or `size:` for a generated one
 * @param {number} number of the message, from 1
 * @returns {string} its text, or `hex:` and its bytes
 */
export function listedMessage(listed, number) {
  const match = /^size:(\d{1,9})(KiB|MiB|B|)$/.exec(listed);
  if (!match) return listed;
  return generated(Math.min(Number(match[1]) * { KiB: 1024, MiB: 1 << 20, B: 1, "": 1 }[match[2]], MOST_BYTES), number);
}

/**
 * @typedef {{act: Act, listed: string[]|null, reads: number, ends: boolean, within: number}} Plan of a trial: it reads
 *   so many messages, or to the end of the connection, for at most `within` seconds
 */

/**
 * @param {import("./scenario.js").Row} row
 * @param {object|null} expected what a browser must see; null if that is not known: then the page echoes nothing and
 *   looks on for some seconds
 * @returns {Plan|null} null if a page cannot perform the act
 */
export function plan(row, expected) {
  const act = parseAct(row.act);
  if (!act) return null;
  const within = Number.isFinite(expected?.within) ? Math.min(expected.within, 600) : 5;
  if (!expected) return { act: { ...act, close: false }, listed: null, reads: Infinity, ends: true, within };
  const attempts = Array.isArray(expected.attempts) ? expected.attempts : [expected];
  const isClosed = Boolean(attempts.at(-1)?.close);
  const least = expected.messages?.least;
  return {
    act,
    listed: row.echoes ? act.messages : row.messages,
    reads: Number.isFinite(least) ? least : 0,
    ends: isClosed && !act.close,
    within,
  };
}
