import assert from "node:assert/strict";
import test from "node:test";
import { readTranscript, savedLine, transcriptHead, transcriptLine } from "../../static/model/transcript.js";

const FACTS = { version: "1.4", url: "ws://h/ws", browser: "Chromium", time: 0, dropped: 2, notKept: 3 };
const row = (values) => ({
  id: 1, time: 1000, direction: "sent", kind: "text", size: 1, roundTrip: NaN, payload: "a", echo: null, event: null,
  ...values,
});

test("lines have the documented fields", () => {
  assert.deepEqual(JSON.parse(transcriptHead(FACTS)), {
    transcript: 1, server: "1.4", url: "ws://h/ws", browser: "Chromium", exported: "1970-01-01T00:00:00.000Z",
    dropped: 2, notKept: 3,
  });
  const table = [
    [row({ time: 1000.1234 }), { direction: "sent", kind: "text", size: 1, text: "a", ms: 500.123 }],
    [
      row({ kind: "binary", payload: Uint8Array.of(255, 0), size: 2, direction: "received", roundTrip: 0.84159 }),
      { direction: "received", kind: "binary", size: 2, base64: "/wA=", ms: 500, roundTrip: 0.842 },
    ],
    [row({ echo: { state: "differs", at: 17, of: 3 } }), { direction: "sent", kind: "text", size: 1, text: "a", ms: 500,
      echo: { state: "differs", at: 17 } }],
    [row({ direction: "event", event: { tone: "good", text: "Connected" } }), { direction: "event", tone: "good",
      text: "Connected", ms: 500 }],
  ];
  for (const [original, expected] of table) {
    assert.deepEqual(JSON.parse(transcriptLine(original, 500)), { time: "1970-01-01T00:00:01.000Z", ...expected });
  }
  assert.equal(JSON.parse(transcriptLine(row(), null)).ms, null);
});

test("random conversations survive writing and reading, byte for byte", () => {
  for (let round = 0; round < 100; round += 1) {
    const rows = Array.from({ length: 20 }, () => {
      const bytes = Uint8Array.from({ length: Math.random() * 40 }, () => Math.random() * 256);
      const text = String.fromCharCode(...Array.from({ length: 10 }, () => Math.random() * 0x10000));
      const payload = Math.random() < 0.5 ? bytes : text;
      return row({ payload, direction: Math.random() < 0.5 ? "sent" : "received" });
    });
    const lines = [transcriptHead(FACTS), ...rows.map((one) => transcriptLine(one, 0))];
    const read = readTranscript(lines.join(round % 2 ? "\r\n" : "\n") + "\n");
    assert.equal(read.problem, null);
    assert.deepEqual(read.rows.map(({ payload }) => payload), rows.map(({ payload }) => payload));
    assert.deepEqual(read.rows.map(({ direction }) => direction), rows.map(({ direction }) => direction));
    assert.equal(read.head.url, "ws://h/ws");
  }
});

test("events, gaps and saved messages survive too", () => {
  const gap = row({ direction: "gap", event: { tone: "info", text: "3 messages" } });
  const saved = { name: "ping", kind: "hex", text: "00" };
  const text = [transcriptHead(FACTS), transcriptLine(gap, null), savedLine({ ...saved, extra: 1 })].join("\n");
  const read = readTranscript(text);
  assert.deepEqual(read.rows[0].event, gap.event);
  assert.deepEqual(read.saved, [saved]);
});

test("problems name the line, and what came before is kept", () => {
  const head = transcriptHead(FACTS);
  const time = '"time":"2026-01-01T00:00:00Z"';
  const table = [
    ["", /^Line 1: the first line/],
    ["hello", /^Line 1: this is not JSON/],
    ["[]", /^Line 1: an object/],
    ["{}", /^Line 1: a transcript begins/],
    [`${head}\n{`, /^Line 2: this is not JSON/],
    [`${head}\n\nnull`, /^Line 3: an object/],
    [`${head}\n{"direction":"sent"}`, /^Line 2: "time" must be/],
    [`${head}\n{${time},"direction":"up"}`, /^Line 2: "direction" must be/],
    [`${head}\n{${time},"direction":"sent"}`, /^Line 2: "text" or "base64"/],
    [`${head}\n{${time},"direction":"sent","base64":"a*"}`, /^Line 2: "base64", column 2/],
    [`${head}\n{"saved":{"name":1}}`, /^Line 2: a saved message/],
  ];
  for (const [text, message] of table) assert.match(readTranscript(text).problem.message, message);
  const partial = readTranscript(`${head}\n${transcriptLine(row(), 0)}\n{`);
  assert.equal(partial.rows.length, 1);
});

test("hostile values are replaced by harmless ones", () => {
  const line = `{"time":"2026-01-01","direction":"received","kind":"__proto__","text":"a","size":-1,"roundTrip":"x",
    "echo":{"state":"<b>"},"__proto__":{"payload":1}}`.replaceAll("\n", "");
  const [read] = readTranscript(`${transcriptHead(FACTS)}\n${line}`).rows;
  assert.deepEqual([read.kind, read.size, read.roundTrip, read.echo, read.payload], ["text", 1, NaN, null, "a"]);
});
