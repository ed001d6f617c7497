// Sends 1,000 mixed messages through `ws` and requires each to come back unchanged.
// Usage: node ws_messages.js URL OFFER, with OFFER as the JSON of ws's perMessageDeflate option. Prints a JSON line.

import { randomBytes } from "node:crypto";
import WebSocket from "ws";

const [url, offer] = process.argv.slice(2);
const socket = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...JSON.parse(offer) } });

function* messages() {
  for (let number = 0; number < 1000; number++) {
    const large = number % 250 === 249;
    yield [
      "",
      "x",
      `κόσμε 🙂 ${number} `.repeat(1 + (number % 40)),
      randomBytes(large ? 1 << 20 : number),
      Buffer.alloc(number * 7, "the same words again and again, "),
    ][number % 5];
  }
}

const sent = [];
let received = 0;

// Every third message is not compressed, every fourth is sent in three fragments.
function send(message, number) {
  sent.push(Buffer.from(message));
  const options = { binary: typeof message !== "string", compress: number % 3 !== 0 };
  if (number % 4 !== 0) return socket.send(message, options);
  const bytes = Buffer.from(message);
  const third = Math.floor(bytes.length / 3);
  socket.send(bytes.subarray(0, third), { ...options, fin: false });
  socket.send(bytes.subarray(third, 2 * third), { ...options, fin: false });
  socket.send(bytes.subarray(2 * third), options);
}

socket.on("open", () => [...messages()].forEach(send));
socket.on("message", (data) => {
  if (!data.equals(sent[received++])) throw new Error(`message ${received} came back changed`);
  if (received === 1000) socket.close(1000);
});
socket.on("close", (code) => console.log(JSON.stringify({ received, code, extensions: socket.extensions })));
