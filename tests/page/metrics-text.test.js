import assert from "node:assert/strict";
import { test } from "node:test";

import { increase, increases, parseMetrics, quantile, total, totals } from "../../static/model/metrics-text.js";

const TEXT = `# HELP a_total Something.
# TYPE a_total counter
a_total 5
b_total{code="1000",initiator="client"} 3
b_total{code="1000",initiator="server"} 4
b_total{code="4xxx",initiator="server"} 1 1700000000
c{text="quote \\" back \\\\ line \\n end",other="{x=\\"1\\"},"} 1.5e3 # {trace="x"} 1
d_bucket{le="1.0"} 10
d_bucket{le="2.0"} 30
d_bucket{le="+Inf"} 40
e NaN
f -Inf
# EOF
`;
const samples = parseMetrics(TEXT);

test("samples, labels and values", () => {
  assert.equal(total(samples, "a_total"), 5);
  assert.equal(total(samples, "b_total"), 8);
  assert.equal(total(samples, "b_total", { code: "1000", initiator: "server" }), 4);
  assert.deepEqual([...totals(samples, "b_total", "code")], [["1000", 7], ["4xxx", 1]]);
  assert.equal(samples.get("c")[0].labels.get("text"), 'quote " back \\ line \n end');
  assert.equal(samples.get("c")[0].labels.get("other"), '{x="1"},');
  assert.equal(total(samples, "c"), 1500);
  assert.equal(total(samples, "f"), -Infinity);
  assert.ok(Number.isNaN(total(samples, "e")));
  assert.ok(Number.isNaN(total(samples, "nothing")));
});

test("counters that fall start anew", () => {
  assert.equal(increase(3, 10), 7);
  assert.equal(increase(10, 3), 3);
  assert.ok(Number.isNaN(increase(NaN, 3)));
  assert.deepEqual([...increases(new Map([["a", 1], ["b", 2]]), new Map([["a", 4], ["b", 2], ["c", 1]]))], [["a", 3], ["c", 1]]);
});

test("quantiles of buckets", () => {
  const buckets = totals(samples, "d_bucket", "le");
  assert.equal(quantile(buckets, 0.25), 1);
  assert.equal(quantile(buckets, 0.5), 1.5);
  assert.equal(quantile(buckets, 0.125), 0.5);
  assert.equal(quantile(buckets, 0.99), 2);
  assert.ok(Number.isNaN(quantile(new Map(), 0.5)));
  assert.ok(Number.isNaN(quantile(new Map([["+Inf", 0]]), 0.5)));
});

test("what is no metric is left out, and costs little", () => {
  const hostile = [
    "<script>alert(1)</script>",
    "__proto__ 1",
    'x{__proto__="y"} 2',
    'broken{a="b 3',
    "broken{a=b} 3",
    "no value",
    `long{a="${"x".repeat(50_000)}"} 1`,
    `many{${'a="b",'.repeat(1500)}c=} 1`,
    `spaces${" ".repeat(9000)}x`,
    "\u0000\u202e 1",
  ];
  const read = parseMetrics(hostile.join("\n"));
  assert.deepEqual([...read.keys()], ["__proto__", "x"]);
  assert.equal(read.get("x")[0].labels.get("__proto__"), "y");
  assert.equal({}.y, undefined);
  const flood = parseMetrics("a 1\n".repeat(200_000));
  assert.equal(flood.get("a").length, 20_000);
});
