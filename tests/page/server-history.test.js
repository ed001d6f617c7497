import assert from "node:assert/strict";
import { test } from "node:test";

import { parseMetrics } from "../../static/model/metrics-text.js";
import { ServerHistory } from "../../static/model/server-history.js";

const WRITE = { integer: (value) => String(Math.round(value)), bytes: (value) => `${Math.round(value)} B` };

const page = (messages, closes = 0, refused = 0) =>
  parseMetrics(`websocket_active_connections 3
websocket_messages_received_total ${messages}
websocket_messages_sent_total ${messages * 2}
websocket_received_bytes_total ${messages * 10}
websocket_sent_bytes_total ${messages * 20}
websocket_message_size_bytes_bucket{le="64.0"} ${messages}
websocket_message_size_bytes_bucket{le="256.0"} ${messages}
websocket_message_size_bytes_bucket{le="+Inf"} ${messages}
websocket_closes_total{code="1000",initiator="client"} ${closes}
websocket_closes_total{code="1000",initiator="server"} ${closes}
websocket_handshakes_total{outcome="refused",status_class="4xx",reason="origin"} ${refused}
websocket_handshakes_total{outcome="accepted",status_class="1xx",reason="accepted"} 100
websocket_refused_connections_total{reason="capacity"} 0
`);

test("rates are differences between two reads, over the time between them", () => {
  const history = new ServerHistory();
  assert.deepEqual(history.tiles(WRITE), []);
  history.push(0, page(100));
  assert.equal(history.tiles(WRITE)[1].value, "↓ –");
  history.push(2000, page(300, 2, 1));
  const [connections, messages, payload, sizes, closes, refusals] = history.tiles(WRITE);
  assert.deepEqual([connections.value, messages.value, messages.detail], ["3", "↓ 100", "sent ↑ 200"]);
  assert.deepEqual([payload.value, payload.detail], ["↓ 1000 B", "sent ↑ 2000 B"]);
  assert.deepEqual([sizes.value, closes.value, closes.detail], ["p50 32 B", "4", "1000: 4"]);
  assert.deepEqual([refusals.value, refusals.detail], ["1", "origin: 1"]);
});

test("a server that was started again counts anew", () => {
  const history = new ServerHistory();
  history.push(0, page(1000, 5));
  history.push(1000, page(1100, 6));
  history.push(2000, page(50, 1));
  assert.deepEqual(history.tiles(WRITE)[1].values, [100, 50]);
  assert.equal(history.tiles(WRITE)[4].value, "4");
});

test("two minutes are kept", () => {
  const history = new ServerHistory();
  for (let time = 0; time <= 300_000; time += 2000) history.push(time, page(time));
  assert.equal(history.tiles(WRITE)[0].values.length, 61);
});

test("metrics that are missing are no numbers", () => {
  const history = new ServerHistory();
  for (const time of [0, 1000]) history.push(time, parseMetrics("websocket_active_connections 1\n"));
  assert.deepEqual(history.tiles(WRITE).map(({ value }) => value), ["1", "↓ –", "↓ –", "p50 –", "0", "0"]);
});
