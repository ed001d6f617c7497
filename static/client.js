// The test client: it opens one connection at a time and logs what happens on it.
// Data from the network is inserted into the page only as text (textContent), never as HTML.

const MAX_LOG_ENTRIES = 1000;
const MAX_AWAITED_ECHOES = 100;
const SHOWN_CHARACTERS = 1000;
const SHOWN_BYTES = 64;

const CONNECTION_STATES = {
  [WebSocket.CONNECTING]: "connecting",
  [WebSocket.OPEN]: "connected",
  [WebSocket.CLOSING]: "closing",
  [WebSocket.CLOSED]: "disconnected",
};

// RFC 6455 section 7.4.1, with the later entries of its IANA registry.
const CLOSE_CODES = {
  1000: "normal closure",
  1001: "going away",
  1002: "protocol error",
  1003: "unsupported kind of data",
  1005: "no code in the close frame",
  1006: "abnormal: no close frame was received",
  1007: "invalid data, such as text that is not UTF-8",
  1008: "policy violation",
  1009: "message too big",
  1010: "a required extension is missing",
  1011: "internal server error",
  1012: "service restart",
  1013: "try again later",
  1014: "bad gateway",
  1015: "TLS handshake failed",
};

// A web page cannot add header fields to a WebSocket handshake. It sends a token in the name of a subprotocol, as
// clients of Kubernetes do. The server never selects that name, so the page must offer another subprotocol with it.
const TOKEN_SUBPROTOCOL = "base64url.bearer.authorization.k8s.io.";
const SUBPROTOCOL = "wsecho";

const byId = (id) => document.getElementById(id);

const view = {
  state: byId("state"),
  connection: byId("connection"),
  url: byId("url"),
  token: byId("token"),
  connect: byId("connect"),
  disconnect: byId("disconnect"),
  log: byId("log"),
  clear: byId("clear"),
  composer: byId("composer"),
  message: byId("message"),
  send: byId("send"),
};

const state = {
  socket: null,
  awaited: [], // texts sent and not yet echoed, oldest first
  following: true, // the log scrolls to new entries, until the user scrolls up
  scrollTop: 0, // the last known scroll position of the log
};

// Connection

function connect() {
  const url = view.url.value;
  if (!isWebSocketUrl(url)) {
    addEntry("error", { text: "Not a WebSocket URL: it must look like ws://host:port/path or wss://host/path" });
    return;
  }
  try {
    state.socket = new WebSocket(url, subprotocols(view.token.value.trim()));
  } catch (error) {
    addEntry("error", { text: `Cannot connect: ${error.message}` });
    return;
  }
  state.socket.binaryType = "arraybuffer";
  state.socket.addEventListener("open", onOpen);
  state.socket.addEventListener("message", onMessage);
  state.socket.addEventListener("error", onError);
  state.socket.addEventListener("close", onClose);
  state.awaited = [];
  addEntry("info", { text: `Connecting to ${withoutPassword(state.socket.url)}` });
  showState();
}

// Newer browsers also accept http: and relative URLs. With those, a typing error could connect to this server.
function isWebSocketUrl(text) {
  try {
    return ["ws:", "wss:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}

function withoutPassword(url) {
  return Object.assign(new URL(url), { username: "", password: "" }).href;
}

function subprotocols(token) {
  return token ? [SUBPROTOCOL, TOKEN_SUBPROTOCOL + base64url(token)] : [];
}

function base64url(text) {
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function disconnect() {
  // Without a code the browser would send an empty Close frame, and onClose would report code 1005.
  state.socket.close(1000);
  showState();
}

function send() {
  const text = view.message.value;
  if (connectionState() !== "connected") {
    addEntry("error", { text: "Not sent: there is no connection" });
    return;
  }
  state.awaited.push({ text, sentAt: performance.now() });
  state.awaited.splice(0, state.awaited.length - MAX_AWAITED_ECHOES);
  state.socket.send(text);
  addEntry("sent", describe(text));
}

function onOpen() {
  addEntry("info", { text: "Connected" });
  showState();
  view.message.focus();
}

function onMessage({ data }) {
  const roundTrip = takeRoundTrip(data);
  addEntry("received", { ...describe(data), roundTrip });
}

function onError() {
  addEntry("error", { text: "Connection failed (browsers do not tell a page why; the developer console may)" });
}

function onClose({ code, reason, wasClean }) {
  const why = reason ? `reason “${reason}”` : "no reason";
  addEntry("info", { text: `Closed: code ${code} (${closeCodeInWords(code)}), ${why}, wasClean ${wasClean}` });
  showState();
}

function connectionState() {
  return CONNECTION_STATES[state.socket?.readyState ?? WebSocket.CLOSED];
}

function closeCodeInWords(code) {
  if (code >= 4000) return "private use";
  if (code >= 3000) return "registered by a library or framework";
  return CLOSE_CODES[code] ?? "unassigned";
}

// Messages

// Echoes arrive in order. Messages that were sent before the one that matches have not been echoed and never will be.
function takeRoundTrip(data) {
  const now = performance.now();
  const index = state.awaited.findIndex(({ text }) => text === data);
  if (index < 0) return undefined;
  return now - state.awaited.splice(0, index + 1).pop().sentAt;
}

function describe(data) {
  return typeof data === "string" ? describeText(data) : describeBinary(data);
}

function describeText(text) {
  const size = new TextEncoder().encode(text).length;
  if (text === "") return { text, size, note: "empty message" };
  if (text.length <= SHOWN_CHARACTERS) return { text, size };
  // Half of a surrogate pair at the end would be displayed as a character that was never sent.
  const shown = text.slice(0, SHOWN_CHARACTERS).replace(/[\uD800-\uDBFF]$/, "");
  return { text: shown, size, note: "… cut for display" };
}

function describeBinary(buffer) {
  const shown = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, SHOWN_BYTES));
  const text = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const isCut = buffer.byteLength > SHOWN_BYTES;
  return { text, size: buffer.byteLength, note: isCut ? "… binary, cut for display" : "binary" };
}

// View

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
const bytes = new Intl.NumberFormat("en", { style: "unit", unit: "byte", unitDisplay: "long" });

function addEntry(direction, { text, note, size, roundTrip }) {
  const entry = element("div", `entry ${direction}`);
  const body = element("span", "body", text);
  if (note) body.append(text && " ", element("span", "note", note));
  entry.append(element("time", "time", clock.format()), element("span", "direction", direction), body);
  if (size !== undefined) entry.append(element("span", "size", bytes.format(size)));
  if (roundTrip !== undefined) entry.append(element("span", "round-trip", `${roundTrip.toFixed(1)} ms round trip`));
  view.log.append(entry);
  while (view.log.childElementCount > MAX_LOG_ENTRIES) view.log.firstElementChild.remove();
  followLog();
}

function followLog() {
  if (!state.following) return;
  view.log.scrollTop = view.log.scrollHeight;
  state.scrollTop = view.log.scrollTop;
}

// The log is also away from its end after it has shrunk (when the keyboard of a phone opens). So only a move upwards
// counts as scrolling by the user.
function onLogScroll() {
  const { scrollHeight, scrollTop, clientHeight } = view.log;
  const atEnd = scrollHeight - scrollTop - clientHeight < 10;
  if (atEnd) state.following = true;
  else if (scrollTop < state.scrollTop) state.following = false;
  state.scrollTop = scrollTop;
}

function element(tag, className, text = "") {
  const created = document.createElement(tag);
  created.className = className;
  created.textContent = text;
  return created;
}

function showState() {
  const name = connectionState();
  const focused = document.activeElement;
  view.state.textContent = name;
  view.state.dataset.state = name;
  view.connect.disabled = name !== "disconnected";
  view.disconnect.disabled = name === "disconnected";
  view.send.disabled = name !== "connected";
  // A button loses the keyboard focus when it is disabled: move the focus to the other button.
  if (focused?.disabled) (view.connect.disabled ? view.disconnect : view.connect).focus();
}

// Start

view.connection.addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});
view.disconnect.addEventListener("click", disconnect);
view.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
view.message.addEventListener("keydown", (event) => {
  // While an input method composes a character, Enter confirms the character. Safari ends the composition before it
  // reports that Enter; only its keyCode, 229, differs from that of an ordinary Enter.
  const isComposing = event.isComposing || event.keyCode === 229;
  if (event.key !== "Enter" || event.shiftKey || isComposing) return;
  event.preventDefault();
  send();
  view.message.select(); // so Enter sends the message again, and typing replaces it
});
view.clear.addEventListener("click", () => view.log.replaceChildren());
view.log.addEventListener("scroll", onLogScroll);
new ResizeObserver(followLog).observe(view.log);

// The WebSocket is in the same folder as this page, under whatever path a proxy serves it.
const folder = location.pathname.replace(/[^/]*$/, "");
view.url.value = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${folder}ws`;
showState();
