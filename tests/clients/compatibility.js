// Performs the tasks on standard input, by `ws`, by undici, or by the WebSocket that the program itself has (global).
// Usage: node compatibility.js ws|undici|global < tasks. Prints each outcome as a line of JSON.

import { argv, exit, stdin, stdout } from "node:process";
import { performAll } from "./browser_api.js";

const which = argv[2];
const makers = {
  ws: async () => {
    const { WebSocket } = await import("ws");
    return (url) => new WebSocket(url);
  },
  undici: async () => {
    const { WebSocket } = await import("undici");
    return (url) => new WebSocket(url);
  },
  global: async () => (url) => new WebSocket(url),
};
let text = "";
for await (const piece of stdin.setEncoding("utf8")) text += piece;
const tasks = JSON.parse(text);
await performAll(tasks, await makers[which](), (outcome) => stdout.write(`${JSON.stringify(outcome)}\n`));
stdout.write("", () => exit(0));
