// Echo with `ws` on Node.js, written as its documentation writes a server. Of its two optional native addons bufferutil,
// which unmasks, is installed beside it (it comes compiled for x86-64); utf-8-validate is not asked where Node.js has
// buffer.isUtf8.

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
