import assert from "node:assert/strict";
import test from "node:test";
import {
  converted, editable, filled, generate, randomNumbers, readPayload,
} from "../../static/model/payload.js";

const encoder = new TextEncoder();

test("each kind decides the frame", () => {
  const table = [
    ["text", "é", "text", "é", 2],
    ["json", "[1]", "text", "[1]", 3],
    ["hex", "c3 a9", "binary", Uint8Array.of(0xc3, 0xa9), 2],
    ["base64", "w6k=", "binary", Uint8Array.of(0xc3, 0xa9), 2],
    ["text", "", "text", "", 0],
    ["hex", "", "binary", new Uint8Array(0), 0],
  ];
  for (const [kind, text, frame, data, size] of table) {
    assert.deepEqual(readPayload(kind, text), { kind: frame, data, size, problem: null });
  }
});

test("problems have a position, and wrong JSON can still be sent as text", () => {
  const json = readPayload("json", '{"a":\n1,}');
  assert.deepEqual([json.problem.line, json.problem.column, json.data, json.size], [2, 3, '{"a":\n1,}', 9]);
  assert.equal(readPayload("hex", "00 0").problem.column, 5);
  assert.equal(readPayload("base64", "a*").problem.column, 2);
});

test("a message can be edited again, exactly", () => {
  const random = randomNumbers(5);
  for (let size = 0; size < 200; size += 13) {
    const data = Uint8Array.from({ length: size }, () => random());
    const { kind, text } = editable(data);
    assert.deepEqual(readPayload(kind, text).data, data);
  }
  assert.deepEqual(editable("hello"), { kind: "text", text: "hello" });
  assert.deepEqual(editable(' {"a":1} '), { kind: "json", text: ' {"a":1} ' });
  assert.deepEqual(editable("{oops"), { kind: "text", text: "{oops" });
});

test("a message is said in another kind where that is possible", () => {
  const table = [
    ["text", "hex", "é", "c3 a9"],
    ["hex", "text", "c3 a9", "é"],
    ["hex", "base64", "c3 a9", "w6k="],
    ["base64", "hex", "w6k=", "c3 a9"],
    ["hex", "text", "ff", null],
    ["hex", "base64", "f", null],
    ["text", "json", "{", "{"],
  ];
  for (const [from, to, text, expected] of table) assert.equal(converted(from, to, text), expected);
});

test("generated payloads have exactly the size that was asked for", () => {
  for (const size of [0, 1, 20, 21, 22, 125, 126, 199, 200, 221, 222, 223, 1000, 65_535, 65_536]) {
    for (const filling of ["counter", "zeros", "random", "json"]) {
      const { kind, data } = generate({ size, filling });
      assert.equal(kind === "text" ? encoder.encode(data).length : data.length, size, `${filling} ${size}`);
      if (filling === "json" && size) JSON.parse(data);
    }
  }
});

test("a seed gives the same bytes each time, and another seed others", () => {
  const bytes = (seed) => Buffer.from(generate({ size: 64, filling: "random", seed }).data).toString("hex");
  assert.equal(bytes(1), bytes(1));
  assert.notEqual(bytes(1), bytes(2));
  assert.deepEqual([...generate({ size: 258, filling: "counter" }).data.subarray(254)], [254, 255, 0, 1]);
});

test("templates are filled in", () => {
  const values = { n: 7, time: 0 };
  assert.equal(filled('[{{n}},"{{time}}",{{n}}]', values), '[7,"1970-01-01T00:00:00.000Z",7]');
  assert.equal(filled("{{other}} {n}", values), "{{other}} {n}");
});
