import { parseBase64, toBase64 } from "./base64.js";
import { utf8Size } from "./utf8.js";

const DIRECTIONS = ["sent", "received", "event", "gap"];
const TONES = ["info", "good", "warning", "error"];
const SAVED_KINDS = ["text", "json", "hex", "base64"];
const ECHOES = ["same", "differs", "lost", "waiting", "none"];

/**
 * First line of a transcript in JSON Lines (UTF-8, one JSON value a line).
 * @param {{version: string | null, url: string, browser: string, time: number, dropped: number, notKept: number}} facts
 *   time of the export in ms since the epoch; the numbers of messages that the log has dropped, or never kept
 */
export function transcriptHead({ version, url, browser, time, dropped, notKept }) {
  return JSON.stringify({ transcript: 1, server: version, url, browser, exported: iso(time), dropped, notKept });
}

/**
 * Line of one row of the log.
 * @param {object} row of the log; its payload must be a string or a Uint8Array
 * @param {number | null} opened when the connection opened, in ms since the epoch
 */
export function transcriptLine(row, opened) {
  const { time, direction, kind, size, roundTrip, payload, echo, event } = row;
  const line = { time: iso(time), ms: opened === null ? null : rounded(time - opened), direction };
  if (direction === "event" || direction === "gap") return JSON.stringify({ ...line, ...event });
  Object.assign(line, { kind, size });
  if (typeof payload === "string") line.text = payload;
  else line.base64 = toBase64(payload);
  if (Number.isFinite(roundTrip)) line.roundTrip = rounded(roundTrip);
  if (echo) line.echo = echo.state === "differs" ? { state: echo.state, at: echo.at } : { state: echo.state };
  return JSON.stringify(line);
}

/**
 * Line of a saved message.
 * @param {{name: string, kind: string, text: string}} message as the composer keeps it
 */
export function savedLine({ name, kind, text }) {
  return JSON.stringify({ saved: { name, kind, text } });
}

function iso(time) {
  return new Date(time).toISOString();
}

function rounded(time) {
  return Math.round(time * 1000) / 1000;
}

/**
 * Reads a transcript. Unknown fields are ignored.
 * @param {string} text
 * @returns {{head: object | null, rows: object[], saved: object[], problem: null | {line: number, message: string}}}
 *   rows without ids; what was read before a problem is kept
 */
export function readTranscript(text) {
  const read = { head: null, rows: [], saved: [], problem: null };
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf("\n", at);
    const end = found < 0 ? text.length : found;
    number += 1;
    const message = readLine(read, text.slice(at, end).trim(), number);
    if (message) {
      read.problem = { line: number, message: `Line ${number}: ${message}` };
      return read;
    }
    at = end + 1;
  }
  if (!read.head) read.problem = { line: 1, message: "Line 1: the first line of a transcript is missing" };
  return read;
}

function readLine(read, text, number) {
  if (!text) return "";
  let line;
  try {
    line = JSON.parse(text);
  } catch {
    return "this is not JSON";
  }
  if (line === null || typeof line !== "object" || Array.isArray(line)) return "an object is expected";
  if (number === 1) {
    if (line.transcript !== 1) return `a transcript begins with a line that has "transcript": 1`;
    read.head = line;
    return "";
  }
  if (line.saved) return readSaved(read, line.saved);
  const { row, message } = readRow(line);
  if (row) read.rows.push(row);
  return message;
}

function readSaved(read, { name, kind, text }) {
  const isWhole = typeof name === "string" && typeof text === "string";
  if (!isWhole || !SAVED_KINDS.includes(kind)) return "a saved message has a name, a kind and a text";
  read.saved.push({ name, kind, text });
  return "";
}

function readRow(line) {
  const time = Date.parse(line.time);
  if (Number.isNaN(time)) return { message: `"time" must be a time in ISO 8601` };
  const { direction } = line;
  if (!DIRECTIONS.includes(direction)) return { message: `"direction" must be one of ${DIRECTIONS.join(", ")}` };
  const row = { time, direction, kind: "empty", size: 0, roundTrip: NaN, payload: "", echo: null, event: null };
  if (direction === "event" || direction === "gap") {
    row.event = { tone: TONES.includes(line.tone) ? line.tone : "info", text: String(line.text ?? "") };
    return { row, message: "" };
  }
  if (typeof line.text === "string") row.payload = line.text;
  else if (typeof line.base64 === "string") {
    const { bytes, problem } = parseBase64(line.base64);
    if (problem) return { message: `"base64", column ${problem.column}: this is not base64` };
    row.payload = bytes;
  } else return { message: `"text" or "base64" is expected` };
  row.size = typeof row.payload === "string" ? utf8Size(row.payload) : row.payload.length;
  row.kind = kindOf(row, line.kind);
  if (typeof line.roundTrip === "number") row.roundTrip = line.roundTrip;
  if (ECHOES.includes(line.echo?.state)) row.echo = { state: line.echo.state, at: Number(line.echo.at ?? -1), of: -1 };
  return { row, message: "" };
}

function kindOf({ payload, size }, kind) {
  if (size === 0) return "empty";
  if (typeof payload !== "string") return "binary";
  return kind === "json" ? "json" : "text";
}
