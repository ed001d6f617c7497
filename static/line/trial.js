// A worker that performs one scenario: it connects, does what the act says, and reports what it saw. It never touches
// the log of the page.
import { listedMessage } from "../model/act.js";
import { toHex } from "../model/hex.js";

const MOST_NOTES = 200;
const MOST_CHARACTERS = 200;
const REPEATED = 1000;
const BETWEEN = 200;

let started = 0;
const notes = [];
let notKept = 0;

// Performs a trial: `data` is {url, protocols, plan}, see model/act.js. Posts {connections, seconds, notes, notKept}.
self.addEventListener("message", async ({ data }) => {
  started = performance.now();
  const { url, protocols, plan } = data;
  const deadline = started + plan.within * 1000;
  const connections = [];
  while (connections.length < plan.act.connections && performance.now() < deadline) {
    if (connections.length) await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    const before = connections.reduce((sum, each) => sum + each.messages, 0);
    const isLast = plan.act.untilOpen || connections.length === plan.act.connections - 1;
    connections.push(await perform(url, protocols, plan, { before, isLast, deadline }));
    if (plan.act.untilOpen && connections.at(-1).opened) break;
  }
  self.postMessage({ connections, seconds: (performance.now() - started) / 1000, notes, notKept });
});

function perform(url, protocols, { act, listed, reads, ends }, { before, isLast, deadline }) {
  const seen = { opened: false, openedIn: NaN, protocol: "", messages: 0, bytes: 0, firstWrong: 0, close: null };
  return new Promise((resolve) => {
    const began = performance.now();
    let repeating = 0;
    const finish = () => {
      clearTimeout(timer);
      clearInterval(repeating);
      if (socket) socket.onmessage = socket.onclose = socket.onopen = null;
      resolve(seen);
    };
    const timer = setTimeout(() => {
      note("event", seen.opened ? "the time is over" : "no answer in time");
      finish();
      socket.close();
    }, deadline - performance.now());
    let socket;
    try {
      socket = new WebSocket(url, [...protocols, ...act.protocols]);
    } catch (error) {
      note("event", error.message);
      return finish();
    }
    socket.binaryType = "arraybuffer";
    const isDone = () => isLast && before + seen.messages >= reads;
    const goOn = () => {
      if (!isDone()) return;
      if (act.close) {
        note("event", "closes with 1000");
        socket.close(1000);
      } else if (!ends) {
        note("event", "done: closes with 1000");
        finish();
        socket.close(1000);
      }
    };
    const send = (payload) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      noteMessage("sent", payload);
      socket.send(payload);
    };
    socket.onopen = () => {
      Object.assign(seen, { opened: true, openedIn: performance.now() - began, protocol: socket.protocol });
      note("event", `open${socket.protocol ? `, subprotocol ${socket.protocol}` : ""}`);
      const sendAll = () => act.messages.forEach((message, index) => send(listedMessage(message, index + 1)));
      sendAll();
      if (act.repeat) repeating = setInterval(sendAll, REPEATED);
      goOn();
    };
    socket.onmessage = ({ data }) => {
      seen.messages += 1;
      seen.bytes += data.length ?? data.byteLength;
      noteMessage("received", data);
      const number = before + seen.messages;
      if (listed && !seen.firstWrong && !isListed(listed[number - 1], number, data)) seen.firstWrong = number;
      if (act.echo) send(data);
      if (!act.close || before + seen.messages === reads) goOn();
    };
    socket.onclose = ({ code, reason, wasClean }) => {
      seen.close = { code, reason, clean: wasClean };
      note("event", seen.opened ? `closed: ${code}${reason ? ` "${reason}"` : ""}` : "does not open");
      finish();
    };
  });
}

function isListed(listed, number, data) {
  if (listed === undefined) return false;
  if (typeof data === "string") return listedMessage(listed, number) === data;
  return listed === `hex:${hexOf(data)}`;
}

const hexOf = (data) => toHex(new Uint8Array(data));

function noteMessage(direction, payload) {
  const isText = typeof payload === "string";
  const shown = isText ? payload.slice(0, MOST_CHARACTERS) : hexOf(payload.slice(0, MOST_CHARACTERS / 2));
  note(direction, shown, isText ? "text" : "binary", isText ? payload.length : payload.byteLength);
}

function note(direction, text, kind = "", size = 0) {
  if (notes.length === MOST_NOTES) notKept += 1;
  else notes.push({ at: performance.now() - started, direction, text: text.slice(0, MOST_CHARACTERS), kind, size });
}
