import assert from "node:assert/strict";
import { test } from "node:test";

import { pingTimes, seenByServer } from "../../static/model/seen.js";

const event = (at, from, frame, more = {}) => ({ at, from, frame, size: 1, final: true, ...more });
const SEEN = {
  connections: [
    {
      attempt: 1,
      status: 101,
      received: { bytes: 12, text: { frames: 1, size: 5 }, close: { frames: 1, size: 2 }, ping: { frames: 0, size: 0 } },
      sent: { bytes: 4 },
      close: { received: { at: 0.5, code: 1000, size: 2 }, sent: null },
      tcp: { client: { how: "fin", at: 0.7 }, server: null },
      events: [
        event(0.1, "server", "ping"),
        event(0.102, "client", "pong"),
        event(0.2, "server", "ping"),
        event(0.5, "client", "close", { code: 1000 }),
      ],
    },
  ],
};

test("what the server saw, in facts", () => {
  const [{ title, facts, events }] = seenByServer(SEEN);
  assert.equal(title, "Connection 1");
  assert.deepEqual(Object.fromEntries(facts), {
    Answered: "status 101",
    Received: "12 bytes: 1 text, 1 close",
    Sent: "4 bytes",
    "Close frame received": "1000 after 0.500 s",
    "Close frame sent": "none",
    "TCP ended by this browser": "FIN after 0.700 s",
    "TCP ended by the server": "unknown, or only followed",
  });
  assert.equal(events[3], "0.500 s ↑ close 1000 1 B");
  assert.deepEqual(pingTimes(SEEN).map((time) => Math.round(time * 1000)), [2000]);
});

test("anything else is no fact, and does no harm", () => {
  for (const nothing of [null, 3, [], {}, { connections: 3 }]) assert.deepEqual(seenByServer(nothing), []);
  const odd = { connections: [null, { attempt: { a: 1 }, received: [], close: 3, tcp: { client: { how: "__proto__" } }, events: [null] }] };
  assert.equal(seenByServer(odd).length, 2);
  assert.deepEqual(pingTimes({ connections: [{ events: 5 }] }), []);
});
