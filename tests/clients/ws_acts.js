// Opens a WebSocket through `ws` and does what a row of the catalogue says. Usage: node ws_acts.js URL, with the act
// as JSON on standard input: messages to send, `every` (milliseconds between repetitions, or 0), `ping`, `back` (send
// back what is received), `close`, and `reads`: after how many messages the client closes or leaves, or null. Prints what
// the application learns as a JSON line.

import { readFileSync } from "node:fs";
import WebSocket from "ws";

const url = process.argv[2];
const { messages, every, ping, back, close, reads } = JSON.parse(readFileSync(0));
const outcome = { opened: false, messages: [], close_code: null, reason: "" };
const options = { rejectUnauthorized: false, closeTimeout: 4000, perMessageDeflate: true };
const socket = new WebSocket(url, options);

function send() {
  messages.forEach((message) => socket.send(message, () => {}));
}

function goOn() {
  if (outcome.messages.length !== reads) return;
  if (close) socket.close(1000);
  else finish();
}

function finish() {
  process.stdout.write(JSON.stringify(outcome), () => process.exit(0));
}

socket.on("open", () => {
  outcome.opened = true;
  if (ping) socket.ping();
  send();
  if (every) setInterval(send, every);
  goOn();
});
socket.on("message", (data, isBinary) => {
  outcome.messages.push(isBinary ? `hex:${data.toString("hex")}` : data.toString());
  if (back) socket.send(data, { binary: isBinary });
  goOn();
});
// The end is told by the event `close`.
socket.on("error", () => {});
socket.on("close", (code, reason) => {
  outcome.close_code = code;
  outcome.reason = reason.toString();
  finish();
});
