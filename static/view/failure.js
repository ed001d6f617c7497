// What a page can find out about a connection that failed. Browsers hide the reason from pages.
import { httpUrl, isOwnServer } from "../model/address.js";
import { duration } from "../model/format.js";
import { increases, parseMetrics, totals } from "../model/metrics-text.js";
import { curl } from "../model/snippets.js";

const PATIENCE = 5000; // ms for each request
const LONGEST_LINE = 200; // characters of an answer that are shown
const LONGEST_BODY = 4 * 1024 * 1024;

/** The first line about a failure; the rest is in its details. */
export const FAILED = "Could not connect. Browsers do not tell pages why; this is what can be found out.";

const FOREIGN = "The address belongs to another server than this page's, which pages cannot ask.";
const SILENT = "This server does not answer any more: it may have stopped, or the network is down.";
const NO_TOKEN = "The server wants a token. Options has a field for it.";
const BAD_TOKEN = "The server does not accept this token.";

const MEANINGS = {
  200: "the path answers plain HTTP",
  401: "it wants credentials",
  403: "it does not allow this",
  404: "nothing is at this path",
  426: "the path lives, so the handshake was refused",
  429: "too many connections or requests from this address",
  502: "a proxy cannot reach the server",
  503: "the server is full or about to stop",
  504: "a proxy got no answer from the server in time",
};

// Labels of the server's metric of handshakes.
const REASONS = {
  address: "The server has too many connections from this address.",
  capacity: "The server is full: it has as many connections as it may have.",
  draining: "The server is shutting down and takes no new connections.",
  origin: "The server does not allow pages of this origin to connect.",
  keys: "The server cannot check tokens at the moment.",
};

/**
 * Find out what can be found out.
 * @param {{url: string, protocols: string[], token: string, after: number, page: URL, retry: () => Promise<boolean>}}
 *   attempt `after`: ms until the failure; `retry` connects again and tells whether it could
 * @returns {Promise<{checks: {text: string, tone: string}[], curl: string}>}
 */
export async function examine({ url, protocols, token, after, page, retry }) {
  const server = isOwnServer(url, page) ? await askServer(url, token, page, retry) : [note(FOREIGN)];
  const checks = [...server, note(whenInWords(after)), note(token ? "A token was sent." : "No token was given.")];
  return { checks, curl: curl({ url, protocols, token: Boolean(token) }).join("\n") };
}

const note = (text, tone = "info") => ({ text, tone });

function whenInWords(after) {
  const time = `It failed after ${duration(after)}`;
  if (after < 1000) return `${time}: at once, as when nothing listens there, or when the server refuses.`;
  if (after < 4000) return `${time}.`;
  return `${time}: late, as when a firewall drops packets, or when the other side does not answer.`;
}

async function askServer(url, token, page, retry) {
  const ready = await ask(new URL("ready", page).href);
  if (!ready) return [note(SILENT, "error")];
  const plain = await ask(httpUrl(url), token);
  const checks = [readyInWords(ready), plainInWords(plain)];
  // Another try counts as a connection in scenarios, so none is made there; the answer has said what they do.
  const isScenario = plain?.line.includes("scenario");
  return isScenario ? checks : [...checks, ...(await refusal(token, page, retry))];
}

function readyInWords({ status, line }) {
  if (status === 200) return note("This server answers that it is ready.", "good");
  if (status === 503) return note(`This server answers that it is ${line || "not ready"}.`, "error");
  return note(`This server answers, but not whether it is ready (HTTP ${status}).`);
}

function plainInWords(answer) {
  if (!answer) return note("A plain GET of the path got no answer.", "error");
  const { status, line } = answer;
  const said = line ? ` It says: ${line}` : "";
  return note(`A plain GET gets ${status}: ${MEANINGS[status] ?? "no answer of a WebSocket"}.${said}`, "warning");
}

// The server counts refusals by reason. The counter that grows with another try tells the reason.
async function refusal(token, page, retry) {
  const metrics = new URL("metrics", page).href;
  const before = await ask(metrics, token, LONGEST_BODY);
  if (before?.status === 401) return [note(token ? BAD_TOKEN : NO_TOKEN, "error")];
  if (before?.status !== 200) return [];
  if (await retry()) return [note("A second try was accepted.", "good")];
  const after = await ask(metrics, token, LONGEST_BODY);
  const grown = increases(refusals(before.text), refusals(after?.text ?? ""));
  return [...grown.keys()].map((reason) => reasonInWords(reason, token));
}

function refusals(text) {
  const samples = parseMetrics(text);
  const early = totals(samples, "websocket_refused_connections_total", "reason");
  const handshakes = totals(samples, "websocket_handshakes_total", "reason", { outcome: "refused" });
  for (const [reason, count] of early) handshakes.set(reason, (handshakes.get(reason) ?? 0) + count);
  return handshakes;
}

function reasonInWords(reason, token) {
  const known = reason === "credentials" ? (token ? BAD_TOKEN : NO_TOKEN) : REASONS[reason];
  return note(known ?? `The server counted the refusal as "${reason}".`, "error");
}

// Status, first line and text of an answer; null without one. No more of a body is read than `most` bytes.
async function ask(url, token = "", most = 4 * LONGEST_LINE) {
  const { href } = Object.assign(new URL(url), { username: "", password: "" });
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch(href, { cache: "no-store", headers, signal });
    const text = await beginning(response.body, most);
    return { status: response.status, line: text.trim().split("\n")[0].slice(0, LONGEST_LINE), text };
  } catch {
    return null;
  }
}

async function beginning(body, most) {
  const decoder = new TextDecoder();
  const reader = body?.getReader();
  let [text, size] = ["", 0];
  while (reader && size < most) {
    const { value, done } = await reader.read();
    if (done) return text;
    size += value.length;
    text += decoder.decode(value, { stream: true });
  }
  reader?.cancel().catch(() => {});
  return text;
}
