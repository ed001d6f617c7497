// Performs the tasks on standard input, by `ws`, by undici, or by the WebSocket that the program itself has (global).
// Usage: node compatibility.js ws|undici|global < tasks. Prints each outcome as a line of JSON.

import { argv, exit, stdin, stdout } from "node:process";
import { performAll } from "./browser_api.js";

const which = argv[2];
// An option with a time limit of a task, in milliseconds. Without one, there is no option: undefined is no default.
const limit = (name, seconds) => (seconds === null ? {} : { [name]: seconds * 1000 });
const makers = {
  ws: async () => {
    const { WebSocket } = await import("ws");
    return (task, outcome) => {
      const { headers, opening_timeout: opening, closing_timeout: closing } = task;
      const limits = { ...limit("handshakeTimeout", opening), ...limit("closeTimeout", closing) };
      const socket = new WebSocket(task.url, task.subprotocols, { headers, ...limits });
      socket.on("unexpected-response", async (request, response) => {
        Object.assign(outcome, { status: response.statusCode, headers: response.headers });
        const pieces = [];
        try {
          for await (const piece of response) pieces.push(piece);
          outcome.body = Buffer.concat(pieces).toString();
        } catch { /* The server has ended the connection in the body. */ }
        socket.terminate();
      });
      return socket;
    };
  },
  undici: async () => {
    const { WebSocket } = await import("undici");
    return ({ url }) => new WebSocket(url);
  },
  global: async () => ({ url }) => new WebSocket(url),
};
let text = "";
for await (const piece of stdin.setEncoding("utf8")) text += piece;
const tasks = JSON.parse(text);
await performAll(tasks, await makers[which](), (outcome) => stdout.write(`${JSON.stringify(outcome)}\n`));
stdout.write("", () => exit(0));
