// Opens a WebSocket through `ws`, sends `hello` if it is to send, and closes after the first message if it is to read.
// Usage: node ws_opens.js URL SETTINGS, with SETTINGS as JSON: subprotocols, headers, auth, send, read,
// rejectUnauthorized, patience in ms. Prints what the application learns as a JSON line.

import WebSocket from "ws";

const [url, settings] = process.argv.slice(2);
const { subprotocols, headers, auth, send, read, patience, rejectUnauthorized } = JSON.parse(settings);
const outcome = { opened: false, status: null, body: "", headers: {}, messages: [], close_code: null };

const options = { headers, auth, rejectUnauthorized, handshakeTimeout: patience, followRedirects: true, maxRedirects: 10 };
const socket = new WebSocket(url, subprotocols, options);

socket.on("open", () => {
  outcome.opened = true;
  if (send) socket.send("hello");
  if (!read) socket.close(1000);
});
socket.on("message", (data) => {
  outcome.messages.push(data.toString());
  socket.close(1000);
});
socket.on("unexpected-response", async (request, response) => {
  outcome.status = response.statusCode;
  outcome.headers = response.headers;
  const pieces = [];
  for await (const piece of response) pieces.push(piece);
  outcome.body = Buffer.concat(pieces).toString();
  finish();
});
socket.on("error", (error) => {
  outcome.error = String(error);
  if (!outcome.opened) finish();
});
socket.on("close", (code) => {
  outcome.close_code = code;
  if (outcome.opened) finish();
});

function finish() {
  console.log(JSON.stringify(outcome));
  process.exit(0);
}
