import assert from "node:assert/strict";
import test from "node:test";

import {
  closeDetails,
  closeMeaning,
  closeSentence,
  closeTone,
  durationInWords,
  idleLimit,
  maySend,
  quoted,
} from "../../static/model/close-codes.js";

const close = (changes) => ({
  code: 1000, reason: "", clean: true, byPage: false, openFor: 42_000, silentFor: 100, ...changes,
});

test("sentences", () => {
  const cases = [
    [
      { code: 4001, reason: "session expired" },
      'Closed by the server: 4001, private use, "session expired". Open for 42 s.',
    ],
    [{ byPage: true, openFor: 400 }, "Closed by this page: 1000, normal closure. Open for 0.4 s."],
    [{ code: 1005, openFor: 185_000 }, "Closed by the server without a code. Open for 3 min 5 s."],
    [{ code: 2999 }, "Closed by the server: 2999, unassigned. Open for 42 s."],
    [{ code: 3000 }, "Closed by the server: 3000, registered by a library or framework. Open for 42 s."],
    [
      { code: 1006, clean: false, silentFor: 60_040, openFor: 70_000 },
      "Ended without a Close after 60.0 s of silence. Looks like an idle limit of 60 s between here and the server.",
    ],
    [
      { code: 1006, clean: false, silentFor: 30_000 },
      "Ended without a Close, after 30 s of silence. Open for 42 s.",
    ],
    [{ code: 1006, clean: false }, "Ended without a Close, in the middle of traffic. Open for 42 s."],
    [
      { code: 1006, clean: false, byPage: true },
      "Ended without a Close from the server, which did not answer this page's Close. Open for 42 s.",
    ],
  ];
  for (const [changes, sentence] of cases) assert.equal(closeSentence(close(changes)), sentence);
});

test("a violation of the protocol is named where a page cannot tell it from a cut", () => {
  assert.match(closeDetails(close({ code: 1006, clean: false }))[0].text, /broke the protocol/);
  for (const changes of [{}, { code: 1002 }, { code: 1005 }, { code: 1006, clean: false, byPage: true }]) {
    assert.deepEqual(closeDetails(close(changes)), []);
  }
});

test("every code has a meaning", () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]) {
    assert.notEqual(closeMeaning(code), "unassigned", String(code));
  }
  assert.equal(closeMeaning(4999), "private use");
  assert.equal(closeMeaning(1016), "unassigned");
  assert.equal(closeMeaning(5000), "unassigned");
});

test("codes that a page may send", () => {
  for (const code of [1000, 3000, 3999, 4000, 4999]) assert.equal(maySend(code), true, String(code));
  for (const code of [0, 999, 1001, 1005, 1006, 2999, 5000, 3000.5, NaN]) assert.equal(maySend(code), false);
});

test("known idle limits", () => {
  const cases = [[59_000, 60], [60_040, 60], [62_100, null], [54_500, 55], [350_100, 350], [606_000, 600]];
  for (const [silentFor, seconds] of cases) assert.equal(idleLimit(silentFor), seconds, String(silentFor));
});

test("a hostile reason cannot deceive", () => {
  assert.equal(quoted("a\u202egpj.exe"), '"a[U+202E]gpj.exe"');
  assert.equal(quoted("\0\u200b\ufeff\u2028\u{e0041}"), '"[U+0000][U+200B][U+FEFF][U+2028][U+E0041]"');
  assert.equal(quoted(`a${"\u0301".repeat(60)}`), '"a[60 combining marks]"');
  assert.equal(quoted("Grüße 😀 e\u0301"), '"Grüße 😀 e\u0301"');
});

test("durations", () => {
  const cases = [
    [0, "0 ms"], [17.9, "17 ms"], [400, "0.4 s"], [9990, "9.9 s"], [59_999, "59 s"], [60_000, "1 min"],
    [7_440_000, "2 h 4 min"],
  ];
  for (const [ms, words] of cases) assert.equal(durationInWords(ms), words);
});

test("tones", () => {
  const cases = { 1000: "info", 1001: "info", 4001: "warning", 1009: "warning", 1002: "error" };
  for (const [code, tone] of Object.entries(cases)) {
    assert.equal(closeTone({ code: Number(code), clean: true }), tone, code);
  }
  assert.equal(closeTone({ code: 1006, clean: false }), "error");
});
