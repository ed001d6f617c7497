import { isSecretName } from "./secrets.js";

// Ports that browsers refuse (Fetch standard, "bad port").
const BLOCKED_PORTS = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
  110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
  532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
  5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);
const SOCKET_SCHEMES = { "http:": "ws:", "https:": "wss:" };

/** What is said when an HTTPS page asks for `ws:`. */
export const MIXED_CONTENT =
  "This page came over HTTPS, so the browser blocks ws:. Use wss:, or open the page over HTTP.";

/**
 * Judge what was typed as an address of a WebSocket. It is never changed silently: an address that was probably meant
 * is offered.
 * @param {string} typed
 * @param {URL} page the folder of the page
 * @returns {{url: string, problem: string, offer: string}} `url` is empty if there is a problem; `problem` and `offer`
 *   are empty if there is none
 */
export function judgeAddress(typed, page) {
  const text = typed.trim();
  if (text === "") return problem("Enter a URL, such as ws://host:port/path.", socketUrl("ws", page));
  const withoutScheme = schemeless(text, page);
  if (withoutScheme) return problem("The URL has no scheme. It probably means this:", withoutScheme);
  let url;
  try {
    url = new URL(text);
  } catch {
    return problem("Not a WebSocket URL: it must look like ws://host:port/path or wss://host/path.");
  }
  if (url.protocol in SOCKET_SCHEMES) {
    return problem(`A WebSocket URL starts with ws: or wss:, not ${url.protocol}`, text.replace(/^http/i, "ws"));
  }
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    return problem(`A WebSocket URL starts with ws: or wss:, not ${url.protocol}`);
  }
  return judgeRest(text, url, page);
}

function judgeRest(text, url, page) {
  if (text.includes("#")) {
    const offer = text.slice(0, text.indexOf("#"));
    return problem("A WebSocket URL has no fragment: browsers refuse the part from # on.", offer);
  }
  if (isMixedContent(url, page)) return problem(MIXED_CONTENT, text.replace(/^ws:/i, "wss:"));
  if (isBlockedPort(url)) return problem(`Browsers block port ${url.port} for all pages. Use another port.`);
  return { url: text, problem: "", offer: "" };
}

function problem(text, offer = "") {
  return { url: "", problem: text, offer };
}

// `localhost:8080` is a URL with the scheme `localhost:`, so it is looked at before the URL is parsed.
function schemeless(text, page) {
  const scheme = page.protocol === "https:" ? "wss:" : "ws:";
  if (text.startsWith("//")) return valid(scheme + text);
  if (text.startsWith("/")) return valid(`${scheme}//${page.host}${text}`);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^(wss?|https?):/i.test(text)) return "";
  if (/^(\[[0-9a-f:.]+\]|[^\s/?#@:]+)(:\d{1,5})?([/?].*)?$/i.test(text) && /[.:\]]|^localhost/i.test(text)) {
    return valid(`${isLocalName(text) ? "ws:" : scheme}//${text}`);
  }
  return "";
}

function isLocalName(text) {
  return URL.canParse(`ws://${text}`) && isLocal(new URL(`ws://${text}`));
}

function valid(text) {
  return URL.canParse(text) ? text : "";
}

/**
 * The URL of a WebSocket of this server.
 * @param {string} path relative to the folder of the page
 * @param {URL} page
 * @returns {string}
 */
export function socketUrl(path, page) {
  const url = new URL(path, page);
  url.protocol = SOCKET_SCHEMES[url.protocol] ?? "ws:";
  return url.href;
}

/**
 * The address that the same server has for HTTP.
 * @param {string} url a WebSocket URL
 * @returns {string}
 */
export function httpUrl(url) {
  return url.replace(/^ws/i, "http");
}

/**
 * Whether a WebSocket belongs to the server that the page came from.
 * @param {string} url
 * @param {URL} page
 * @returns {boolean}
 */
export function isOwnServer(url, page) {
  try {
    return new URL(httpUrl(url)).origin === page.origin;
  } catch {
    return false;
  }
}

/**
 * Whether the host is this machine, which browsers trust without TLS.
 * @param {URL} url
 * @returns {boolean}
 */
export function isLocal({ hostname }) {
  return hostname === "localhost" || hostname.endsWith(".localhost") || /^127\.|^\[::1\]$/.test(hostname);
}

/**
 * Whether the browser blocks the connection because the page came over HTTPS (W3C Mixed Content section 5.3).
 * @param {URL} url
 * @param {URL} page
 * @returns {boolean}
 */
export function isMixedContent(url, page) {
  return page.protocol === "https:" && url.protocol === "ws:" && !isLocal(url);
}

/**
 * @param {URL} url
 * @returns {boolean} whether browsers refuse its port
 */
export function isBlockedPort(url) {
  return url.port !== "" && BLOCKED_PORTS.has(Number(url.port));
}

/**
 * The address without what must not be kept: user info, and the values of query parameters named like secrets.
 * @param {string} text
 * @returns {string} empty if the text is no URL
 */
export function withoutSecrets(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return "";
  }
  url.username = "";
  url.password = "";
  const names = [...url.searchParams.keys()].filter(isSecretName);
  for (const name of names) url.searchParams.set(name, "");
  return url.href;
}

/**
 * A short name for a tab: the path and the query, with the host if it is another server.
 * @param {string} text
 * @param {URL} page
 * @returns {string}
 */
export function addressName(text, page) {
  const shown = withoutSecrets(text);
  if (!shown) return text.slice(0, 60) || "no URL";
  const url = new URL(shown);
  return (isOwnServer(shown, page) ? "" : url.host) + url.pathname + url.search;
}

/**
 * Split the field of subprotocols, and check the names (RFC 6455 section 4.1: tokens of RFC 9110 section 5.6.2, none
 * twice).
 * @param {string} text names in order, separated by commas
 * @returns {{protocols: string[], problem: string}}
 */
export function readProtocols(text) {
  const names = text.split(",").map((name) => name.trim());
  const protocols = names.filter((name) => name !== "");
  const wrong = protocols.find((name) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name));
  if (wrong !== undefined) {
    return { protocols, problem: `"${wrong}" is no subprotocol: a space or one of ()<>@;:\\"/[]?={} is not allowed.` };
  }
  const twice = protocols.find((name, index) => protocols.indexOf(name) !== index);
  return { protocols, problem: twice === undefined ? "" : `"${twice}" stands in the list twice.` };
}
