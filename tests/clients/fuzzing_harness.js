// The way in which undici calls a fuzzing server: three paths, one case after the other, and then its index.json.
// Usage: FUZZING_SERVER_URL=ws://... node fuzzing_harness.js REPORT_DIR. Prints a JSON line, and fails like undici's.

import { readFileSync } from "node:fs";
import { WebSocket } from "undici";

const address = process.env.FUZZING_SERVER_URL;
const failing = ["FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT"];

function finished(path, onMessage) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${address}${path}`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => onMessage(socket, data));
    socket.addEventListener("close", resolve);
    socket.addEventListener("error", () => {});
  });
}

let count = 0;
await finished("/getCaseCount", (_, data) => { count = parseInt(data); });
for (let number = 1; number <= count; number++) {
  await finished(`/runCase?case=${number}&agent=undici`, (socket, data) => socket.send(data));
}
await finished("/updateReports?agent=undici", () => {});

const { undici: results } = JSON.parse(readFileSync(`${process.argv[2]}/index.json`));
const compare = (one, other) => {
  const [a, b] = [one, other].map((id) => id.split(".").map(Number));
  return a.map((part, index) => part - (b[index] ?? 0)).find((difference) => difference) ?? 0;
};
const ids = Object.keys(results).sort(compare);
const failed = ids.filter((id) => failing.includes(results[id].behavior) || failing.includes(results[id].behaviorClose));
console.log(JSON.stringify({ count, ids, failed }));
process.exitCode = failed.length ? 1 : 0;
