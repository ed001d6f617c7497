import { toHex } from "./hex.js";
import { utf8Size } from "./utf8.js";

/** @typedef {{url: string, protocols: string[], token: boolean, data: string | Uint8Array}} Conversation */

// Bytes of a message that is written into a snippet. A longer one is read from a file.
const LONGEST_TEXT = 2048;
const LONGEST_BINARY = 256;

/** The languages, in the order of the menu. */
export const LANGUAGES = {
  javascript: { name: "JavaScript", file: "wsecho.mjs" },
  python: { name: "Python", file: "wsecho.py" },
  wscat: { name: "wscat", file: "wsecho.sh" },
  websocat: { name: "websocat", file: "wsecho.sh" },
  curl: { name: "curl", file: "wsecho.sh" },
};

/**
 * Code that connects, sends one message and prints what comes back. curl shows the answer to the handshake only.
 * @param {keyof LANGUAGES} language
 * @param {Conversation} conversation `token` says whether one is needed; the code reads it from a variable
 * @returns {string}
 */
export function snippet(language, conversation) {
  const writers = { javascript, python, wscat, websocat, curl };
  return `${writers[language](conversation).join("\n")}\n`;
}

/**
 * A text as one word of a POSIX shell. A NUL cannot be part of one and is left out.
 * @param {string} text
 */
export function shellWord(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("\0", "").replaceAll("'", `'\\''`)}'`;
}

// Letters and digits of every script stay legible. Controls, separators and what a reader could not see are escaped.
const ILLEGIBLE = /[^\x20-\x7e\p{L}\p{N}]|\p{DI}/gu;

/**
 * A text as a string literal of JavaScript.
 * @param {string} text
 */
export function javascriptString(text) {
  return JSON.stringify(text).replace(ILLEGIBLE, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/**
 * A text as a string literal of Python 3.
 * @param {string} text
 */
export function pythonString(text) {
  return JSON.stringify(text).replace(ILLEGIBLE, (character) => {
    const code = character.codePointAt(0);
    return code > 0xffff ? `\\U${digits(code, 8)}` : `\\u${digits(code, 4)}`;
  });
}

function digits(code, count) {
  return code.toString(16).padStart(count, "0");
}

/**
 * Bytes as a literal of Python 3.
 * @param {Uint8Array} bytes
 */
export function pythonBytes(bytes) {
  return `bytes.fromhex("${toHex(bytes)}")`;
}

/**
 * Bytes as an expression of JavaScript.
 * @param {Uint8Array} bytes
 */
export function javascriptBytes(bytes) {
  return `Uint8Array.of(${Array.from(bytes).join(", ")})`;
}

function isLong(data) {
  return typeof data === "string" ? utf8Size(data) > LONGEST_TEXT : data.length > LONGEST_BINARY;
}

function fileOf(data) {
  return typeof data === "string" ? "message.txt" : "message.bin";
}

function javascript({ url, protocols, token, data }) {
  const lines = [];
  const offered = protocols.map(javascriptString);
  if (token) {
    lines.push(
      `const token = process.env.TOKEN; // in a page: from a field`,
      `const name = btoa(token).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");`,
    );
    if (!offered.length) offered.push(`"wsecho"`);
    offered.push("`base64url.bearer.authorization.k8s.io.${name}`");
  }
  if (isLong(data)) {
    const encoding = typeof data === "string" ? `, "utf8"` : "";
    lines.unshift(`import { readFileSync } from "node:fs";`, "");
    lines.push(`const message = readFileSync("${fileOf(data)}"${encoding}); // Download in the Message panel saves it`);
  } else {
    lines.push(`const message = ${typeof data === "string" ? javascriptString(data) : javascriptBytes(data)};`);
  }
  const list = offered.length ? `, [${offered.join(", ")}]` : "";
  return [
    ...lines,
    `const socket = new WebSocket(${javascriptString(url)}${list});`,
    `socket.binaryType = "arraybuffer";`,
    `socket.onopen = () => socket.send(message);`,
    `socket.onmessage = ({ data }) => {`,
    `  console.log(data);`,
    `  socket.close(1000);`,
    `};`,
    `socket.onclose = ({ code, reason }) => console.log("closed", code, reason);`,
  ];
}

function python({ url, protocols, token, data }) {
  const options = [pythonString(url)];
  if (protocols.length) options.push(`subprotocols=[${protocols.map(pythonString).join(", ")}]`);
  if (token) options.push(`additional_headers={"Authorization": f"Bearer {token}"}`);
  const isText = typeof data === "string";
  const literal = isText ? pythonString(data) : pythonBytes(data);
  const read = `open("${fileOf(data)}", ${isText ? `encoding="utf-8", newline=""` : `"rb"`}).read()`;
  return [
    ...(token ? ["import os", ""] : []),
    "from websockets.sync.client import connect",
    "",
    ...(token ? [`token = os.environ["TOKEN"]`] : []),
    `message = ${isLong(data) ? `${read}  # Download in the Message panel saves it` : literal}`,
    `with connect(${options.join(", ")}) as socket:`,
    "    socket.send(message)",
    "    print(socket.recv())",
  ];
}

function offers(protocols) {
  return protocols.flatMap((name) => ["-s", shellWord(name)]);
}

function wscat({ url, protocols, token, data }) {
  const command = ["wscat", "-c", shellWord(url), ...offers(protocols)];
  if (token) command.push("-H", `"Authorization: Bearer $TOKEN"`);
  if (typeof data !== "string") return ["# wscat sends text only. This connects without a message.", command.join(" ")];
  const message = isLong(data) ? `"$(cat message.txt)"` : shellWord(data);
  return [[...command, "-w", "1", `--execute=${message}`].join(" ")];
}

// websocat makes a message of each line of text, unless messages end with NUL, and of at most 64 KiB of bytes.
function websocat({ url, protocols, token, data }) {
  const isText = typeof data === "string";
  const command = ["websocat", "-n1", isText ? "--text" : "--binary"];
  if (isText && data.includes("\n")) command.push("--null-terminated");
  if (protocols.length) command.push(`--protocol=${shellWord(protocols.join(", "))}`);
  if (token) command.push(`-H="Authorization: Bearer $TOKEN"`);
  return [`${source(data)} | ${command.join(" ")} ${shellWord(url)}`];
}

function source(data) {
  if (isLong(data)) return `cat ${fileOf(data)}`;
  if (typeof data === "string") return `printf %s ${shellWord(data)}`;
  return `printf '${Array.from(data, (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}'`;
}

/**
 * The command that shows how a server answers a handshake, so that a refusal becomes visible.
 * @param {Conversation} conversation the data are not used
 * @returns {string[]} lines
 */
export function curl({ url, protocols, token }) {
  const fields = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: d3NlY2hvIHdzZWNobyB3cw==",
  ];
  if (protocols.length) fields.push(`Sec-WebSocket-Protocol: ${protocols.join(", ")}`);
  const words = fields.map((field) => `-H ${shellWord(field)}`);
  if (token) words.push(`-H "Authorization: Bearer $TOKEN"`);
  const target = shellWord(url.replace(/^ws/i, "http"));
  return [`curl -i -N --http1.1 --max-time 5 \\`, ...words.map((word) => `  ${word} \\`), `  ${target}`];
}
