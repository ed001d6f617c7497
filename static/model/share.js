import { isSecretName } from "./secrets.js";

const KINDS = ["text", "json", "hex", "base64"];
const PANELS = ["log", "message", "measure", "scenarios", "server", "code"];
const LONGEST = 8192; // characters of a fragment with the message
const LONGEST_FIELD = 65536;

/** @typedef {{url?: string, sub?: string[], as?: string, send?: string, panel?: string, scenario?: string}} Filled */

/**
 * The fragment of a link that fills in the page. It never contains a token, user info, or a query parameter whose name
 * sounds like a secret.
 * @param {Filled} fields `as` is the kind of the message `send`
 * @param {string} page URL of the page's folder; a WebSocket URL below it is written relative to it
 * @returns {{fragment: string, leftOut: string[]}} `leftOut` names what the link does not contain: "message" (the link
 *   would be longer than 8 KB), "secrets"
 */
export function linkFragment({ url, sub, as, send, panel, scenario }, page) {
  const leftOut = [];
  const pairs = [];
  const add = (name, value) => value && pairs.push(`${name}=${escaped(value)}`);
  if (url) {
    const shared = sharedUrl(url, page);
    if (shared.hadSecrets) leftOut.push("secrets");
    add("url", shared.url);
  }
  add("sub", sub?.join(","));
  add("scenario", scenario);
  add("panel", panel);
  if (send) {
    const message = `as=${escaped(as)}&send=${escaped(send)}`;
    if (pairs.join("&").length + message.length + 1 > LONGEST) leftOut.push("message");
    else pairs.push(message);
  }
  return { fragment: pairs.length ? `#${pairs.join("&")}` : "", leftOut };
}

function sharedUrl(text, page) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return { url: "", hadSecrets: false };
  }
  const socketPage = page.replace(/^http/, "ws");
  const isOwn = url.href.startsWith(socketPage);
  let hadSecrets = Boolean(url.username || url.password);
  url.username = "";
  url.password = "";
  const kept = url.search.slice(1).split("&").filter((pair) => {
    const [[name] = [""]] = new URLSearchParams(pair);
    return (isOwn && name === "key") || !isSecretName(name); // scenarios of this server have a parameter "key"
  });
  hadSecrets ||= kept.length < url.search.split("&").length;
  url.search = kept.join("&");
  return { url: url.href.startsWith(socketPage) ? url.href.slice(socketPage.length) || "." : url.href, hadSecrets };
}

// Spaces, and what would end a link in a text or a field in a fragment, are escaped; the rest stays readable.
function escaped(text) {
  return encodeURIComponent(text.toWellFormed()).replace(/%(?:2F|3A|2C|3F|40|24|3B|3D)/g, decodeURIComponent);
}

/**
 * Reads the fragment of an opened link. Nothing in it is trusted: unknown names, unknown values and fields that are too
 * long are left out.
 * @param {string} fragment with or without "#"
 * @param {string} page URL of the page's folder
 * @returns {{fields: Filled, problems: string[]}} `url` is absolute; `problems` are sentences for the reader
 */
export function readFragment(fragment, page) {
  const fields = {};
  const problems = [];
  for (const pair of fragment.replace(/^#/, "").split("&")) {
    if (!pair) continue;
    const [name] = pair.split("=", 1);
    const value = unescaped(pair.slice(name.length + 1));
    const message = value === null ? "it is not percent-encoded UTF-8" : take(fields, name, value, page);
    if (message) problems.push(`"${name.slice(0, 20)}" in the link was ignored: ${message}.`);
    if (problems.length > 4) break;
  }
  if (fields.send === undefined) delete fields.as;
  else fields.as ??= "text";
  return { fields, problems };
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const FIELDS = new Map([
  ["url", { read: socketUrl, wanted: "a WebSocket URL is expected" }],
  ["sub", { read: (value) => value.split(",").map((name) => name.trim()).filter(Boolean) }],
  ["as", { read: (value) => KINDS.find((kind) => kind === value), wanted: "the kind is unknown" }],
  ["send", { read: (value) => value }],
  ["panel", { read: (value) => PANELS.find((panel) => panel === value), wanted: "there is no such panel" }],
  ["scenario", { read: (value) => value }],
]);

function take(fields, name, value, page) {
  const field = FIELDS.get(name);
  if (!field) return "the name is unknown";
  if (name in fields) return "it is there twice";
  if (value.length > LONGEST_FIELD) return "it is too long";
  const read = field.read(value, page);
  if (read === undefined) return field.wanted;
  fields[name] = read;
  return "";
}

function socketUrl(value, page) {
  try {
    const url = new URL(value, page.replace(/^http/, "ws"));
    return url.protocol === "ws:" || url.protocol === "wss:" ? url.href : undefined;
  } catch {
    return undefined;
  }
}
