// An echo server with Bun's own server (the C++ core of uWebSockets), written like the servers in its documentation.
// The message size limit is raised, so that all messages of the benchmark fit. "dedicated" compressors keep their
// context between messages; the default ones do not.

import { parseArgs } from "node:util";

const { values: switches } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    deflate: { type: "boolean", default: false },
    "tls-cert": { type: "string" },
    "tls-key": { type: "string" },
    workers: { type: "string", default: "1" },
    shared: { type: "boolean", default: false },
  },
});

function serve() {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: Number(switches.port),
    reusePort: switches.shared,
    tls: switches["tls-cert"]
      ? { cert: Bun.file(switches["tls-cert"]), key: Bun.file(switches["tls-key"]) }
      : undefined,
    fetch(request, server) {
      if (!server.upgrade(request)) return new Response("a WebSocket echo", { status: 426 });
    },
    websocket: {
      maxPayloadLength: 64 * 1024 * 1024,
      perMessageDeflate: switches.deflate && { compress: "dedicated", decompress: "dedicated" },
      message(socket, message) {
        socket.send(message, switches.deflate);
      },
    },
  });
  console.log("port", server.port);
  return server.port;
}

// The workers are processes that all listen on the same port (SO_REUSEPORT).
if (switches.workers !== "1") {
  switches.shared = true;
  const port = serve();
  for (let i = 1; i < Number(switches.workers); i++) {
    Bun.spawn([process.execPath, import.meta.path, "--port", String(port), "--shared"], { stdout: "inherit" });
  }
} else {
  serve();
}
