// An echo server with `ws` on Node.js, written like the servers in its documentation. `ws` has two optional native
// addons. bufferutil, which unmasks, is installed (its package has a binary for x86-64). utf-8-validate is not, because
// `ws` does not use it if Node.js has buffer.isUtf8.

"use strict";

const cluster = require("node:cluster");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { parseArgs } = require("node:util");
const { WebSocketServer } = require("ws");

const { values: switches } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    deflate: { type: "boolean", default: false },
    "tls-cert": { type: "string" },
    "tls-key": { type: "string" },
    workers: { type: "string", default: "1" },
  },
});

function serve() {
  const server = switches["tls-cert"]
    ? https.createServer({ cert: fs.readFileSync(switches["tls-cert"]), key: fs.readFileSync(switches["tls-key"]) })
    : http.createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: switches.deflate });
  sockets.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.listen(Number(switches.port), "127.0.0.1", () => console.log("port", server.address().port));
}

if (cluster.isPrimary && switches.workers !== "1") {
  for (let i = 0; i < Number(switches.workers); i++) cluster.fork();
} else {
  serve();
}
