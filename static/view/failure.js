// What a page can find out about a connection that failed. Browsers hide the reason from pages.
import { httpUrl, isOwnServer } from "../model/address.js";
import { duration } from "../model/format.js";
import { curl } from "../model/snippets.js";

const PATIENCE = 5000; // ms for each request
const LONGEST_ANSWER = 200; // characters that are shown

export const FAILED = "Could not connect. Browsers do not tell pages why; this is what can be found out.";

const FOREIGN = "The address belongs to another server than this page's, which pages cannot ask.";
const SILENT = "This server does not answer any more: it may have stopped, or the network is down.";
const MEANINGS = {
  200: "the path answers plain HTTP and is no WebSocket",
  401: "the server wants a token, or does not accept this one",
  403: "the server does not allow this: the address or the page's origin may be excluded",
  404: "the server has nothing at this path",
  426: "the path is a WebSocket, so the handshake itself was refused or cut off",
  429: "there are too many connections or requests from this address",
  502: "a proxy cannot reach the server",
  503: "the server is full or about to stop",
  504: "a proxy got no answer from the server in time",
};

/**
 * Find out what can be found out.
 * @param {{url: string, protocols: string[], token: string, after: number, page: URL}} attempt `after`: ms until the
 *   failure
 * @returns {Promise<{checks: {text: string, tone: string}[], curl: string}>}
 */
export async function examine({ url, protocols, token, after, page }) {
  const server = isOwnServer(url, page) ? await ownServer(url, token, page) : [note(FOREIGN)];
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

async function ownServer(url, token, page) {
  const health = await ask(new URL("health", page).href);
  if (!health) return [note(SILENT, "error")];
  return [healthInWords(health), plainInWords(await ask(httpUrl(url), token))];
}

function healthInWords({ status, line }) {
  if (status === 200) return note(`This server answers: ${line || "ready"}.`, "good");
  if (status === 503) return note(`This server answers that it is ${line || "not ready"}.`, "error");
  return note(`This server answers, but not about its health (HTTP ${status}).`, "info");
}

function plainInWords(answer) {
  if (!answer) return note("A plain GET of the path got no answer.", "error");
  const { status, line } = answer;
  const meaning = MEANINGS[status] ?? "not what a WebSocket answers";
  const said = line && status !== 200 ? ` The server says: ${line}` : "";
  return note(`A plain GET of the path gets ${status}: ${meaning}.${said}`, status === 426 ? "warning" : "error");
}

// The status, and the first line of the answer. Only the first part of the body is read.
async function ask(url, token = "") {
  const { href } = Object.assign(new URL(url), { username: "", password: "" });
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch(href, { cache: "no-store", credentials: "same-origin", headers, signal });
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    reader?.cancel().catch(() => {});
    const [line] = new TextDecoder().decode(value?.slice(0, 4 * LONGEST_ANSWER)).trim().split("\n");
    return { status: response.status, line: line.slice(0, LONGEST_ANSWER) };
  } catch {
    return null;
  }
}
