import assert from "node:assert/strict";
import { test } from "node:test";

import { asJson, asMarkdown, browserName, judge, summary } from "../../static/model/verdict.js";

const seen = (more = {}) => ({ opened: true, openedIn: 3, protocol: "", messages: 0, firstWrong: 0, close: null, ...more });
const closed = (code, clean = true) => ({ close: { code, reason: "", clean } });
const run = (...connections) => ({ connections, seconds: 0.5 });
const CLOSE = { opens: true, close: { codes: [4000], clean: true }, messages: { least: 1, most: 1 }, within: 5, visible: true };

test("verdicts", () => {
  const cases = [
    ["expected", CLOSE, run(seen({ messages: 1, ...closed(4000) }))],
    ["different", CLOSE, run(seen({ messages: 1, ...closed(4001) }))],
    ["different", CLOSE, run(seen({ messages: 1, ...closed(4000, false) }))],
    ["different", CLOSE, run(seen({ messages: 2, ...closed(4000) }))],
    ["different", CLOSE, run(seen({ messages: 1, firstWrong: 1, ...closed(4000) }))],
    ["different", CLOSE, run(seen({ messages: 1 }))],
    ["different", CLOSE, run(seen({ opened: false, ...closed(1006, false) }))],
    ["different", CLOSE, { ...run(seen({ messages: 1, ...closed(4000) })), seconds: 5.1 }],
    ["different", { opens: true, close: { codes: [1000], reason: "bye" } }, run(seen(closed(1000)))],
    ["expected", { opens: true, close: { codes: [1000], reason: "" } }, run(seen(closed(1000)))],
    ["expected", { opens: false, within: 5 }, run(seen({ opened: false, ...closed(1006, false) }))],
    ["expected", { opens: [true, false] }, run(seen())],
    ["expected", { opens: [true, false] }, run(seen({ opened: false }))],
    ["expected", { opens: true, subprotocol: "" }, run(seen())],
    ["different", { opens: true, subprotocol: "" }, run(seen({ protocol: "wsecho" }))],
    ["expected", { opens: true, close: null, messages: null }, run(seen({ messages: 9, ...closed(1006) }))],
    ["invisible", { ...CLOSE, visible: false }, null],
    ["invisible", { ...CLOSE, visible: false }, run(seen())],
    ["invisible", null, run(seen())],
    ["open", CLOSE, null],
    ["open", null, null],
  ];
  for (const [verdict, expected, ran] of cases) assert.equal(judge(expected, ran).verdict, verdict, JSON.stringify([expected, ran]));
});

test("several connections are judged together, or one by one", () => {
  const both = run(seen({ messages: 3, ...closed(1006, false) }), seen({ messages: 3, ...closed(4000) }));
  assert.equal(judge({ ...CLOSE, messages: { least: 6, most: 6 } }, both).verdict, "expected");
  const attempts = [{ opens: false }, { opens: true, close: { codes: [4000] } }];
  assert.equal(judge({ attempts }, run(seen({ opened: false }), seen(closed(4000)))).verdict, "expected");
  assert.equal(judge({ attempts }, run(seen({ opened: false }), seen(closed(4001)))).verdict, "different");
  assert.equal(judge({ attempts }, run(seen({ opened: false }))).verdict, "different");
});

test("each line says what was expected and what was seen", () => {
  const { rows } = judge({ ...CLOSE, messages: { least: 1, most: 3 } }, run(seen({ messages: 1, ...closed(1006, false) })));
  assert.deepEqual(
    rows.map(({ name, expected, seen, same }) => [name, expected, seen, same]),
    [
      ["Opens", "yes", "yes", true],
      ["Messages", "1 to 3", "1", true],
      ["Close code", "4000", "1006", false],
      ["Clean", "yes", "no", false],
      ["Time", "at most 5 s", "0.50 s", true],
    ],
  );
});

const RESULTS = [
  { number: "1.1", url: "/ws/message/a|b\n", ...judge(CLOSE, run(seen({ messages: 1, ...closed(4000) }))) },
  { number: "1.2", url: "/ws/close/4000", ...judge(CLOSE, run(seen({ messages: 1, ...closed(4001) }))) },
  { number: "1.3", url: "/ws/freeze", ...judge({ visible: false }, null) },
];
const FACTS = { browser: "Chromium 156, Linux", version: "1.4", date: "2026-11-28" };

test("the summary, and results to copy", () => {
  assert.equal(summary(RESULTS, FACTS.browser), "1 as expected, 1 different, 1 not visible; Chromium 156, Linux");
  const lines = asMarkdown(RESULTS, FACTS).trimEnd().split("\n");
  const cells = lines.slice(2).map((line) => line.slice(2, -2).split(/(?<!\\)\|/).map((cell) => cell.trim()));
  assert.deepEqual(cells.map((each) => each.length), [4, 4, 4, 4, 4]);
  assert.equal(cells[3].at(-1), "Close code: 4001, expected: 4000");
  assert.equal(cells[2][1], "`/ws/message/a\\|b `");
  assert.deepEqual(
    JSON.parse(asJson(RESULTS, FACTS)).rows.map(({ verdict }) => verdict),
    ["expected", "different", "invisible"],
  );
});

test("the name of the browser", () => {
  const brands = [{ brand: "Not_A Brand", version: "8" }, { brand: "Chromium", version: "156" }];
  assert.equal(browserName({ brands, platform: "Linux" }, ""), "Chromium 156, Linux");
  assert.equal(browserName(undefined, "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"), "Firefox 150, Linux");
  assert.equal(browserName(undefined, "Mozilla/5.0 (Macintosh; Intel Mac OS X) Version/19.1 Safari/605"), "Safari 19, Mac OS X");
  assert.equal(browserName(undefined, "?"), "unknown browser, unknown system");
});
