// A measurement in figures: a table for the page, and Markdown to copy.

const PERCENTILES = [50, 95, 99];

/**
 * @param {number} ms
 * @returns {string} three significant digits or whole milliseconds, and the unit
 */
export function milliseconds(ms) {
  if (!Number.isFinite(ms)) return "none";
  return `${ms < 1000 ? Number(ms.toPrecision(3)) : Math.round(ms)} ms`;
}

/**
 * @param {import("./histogram.js").Histogram} histogram
 * @returns {{label: string, value: number}[]} p50, p95, p99 and max, in ms
 */
export function percentiles(histogram) {
  const found = PERCENTILES.map((percent) => ({ label: `p${percent}`, value: histogram.percentile(percent) }));
  return [...found, { label: "max", value: histogram.count ? histogram.max : NaN }];
}

/**
 * @param {object} measurement of a connection
 * @returns {[string, string][]} name and value, what is zero and expected to be so included
 */
export function figures(measurement) {
  const { histogram, sent, received, lost, duplicated, reordered, altered, skipped, elapsed } = measurement;
  const seconds = elapsed / 1000;
  const rate = seconds > 0 ? `${Math.round(received / seconds)} messages/s` : "none";
  return [
    ...percentiles(histogram).map(({ label, value }) => [label, milliseconds(value)]),
    ["min", milliseconds(histogram.count ? histogram.min : NaN)],
    ["mean", milliseconds(histogram.mean)],
    ["Sent", String(sent)],
    ["Came back", String(received)],
    ["Lost", String(lost)],
    ["Duplicated", String(duplicated)],
    ["Out of order", String(reordered)],
    ["Altered", String(altered)],
    ...(skipped ? [["Not sent: the line was full", String(skipped)]] : []),
    ["Time", `${seconds.toFixed(1)} s`],
    ["Echoes on average", rate],
  ];
}

/**
 * @param {object} plan of the measurement
 * @returns {string} "every 100 ms for 10 s, 64 bytes"
 */
export function planInWords({ mode, interval, inFlight, count, seconds, payload }) {
  const words = {
    interval: `every ${interval} ms for ${seconds} s`,
    inflight: `${inFlight} in flight for ${seconds} s`,
    burst: `a burst of ${count}`,
  };
  if (!Object.hasOwn(words, mode)) return "messages sent by hand";
  const size = payload.size ?? payload.data?.length ?? 0;
  return `${words[mode]}, ${size} ${typeof payload.data === "string" ? "characters" : "bytes"} each`;
}

/**
 * @param {object} measurement
 * @returns {string} what the figures contain, and how fine the clock was
 */
export function contents({ clockStep }) {
  const step = milliseconds(clockStep);
  return `From send() to the message event in a worker; includes the browser. Clock step ${step}.`;
}

/**
 * @param {object} measurement
 * @param {object} plan
 * @param {{url: string, browser: string, date: string, others: [string, string][]}} facts `others` are more figures
 * @returns {string}
 */
export function asMarkdown(measurement, plan, { url, browser, date, others }) {
  const clean = (text) => text.replace(/[\u0000-\u001f\u007f]/g, " ").replaceAll("|", "\\|");
  const lines = [...figures(measurement), ...others].map(([name, value]) => `| ${clean(name)} | ${clean(value)} |`);
  return [
    `**${clean(measurement.sentence || "Round trips")}**`,
    "",
    `${clean(url)}: ${planInWords(plan)}; ${clean(browser)}; ${date}. ${contents(measurement)}`,
    "",
    "| figure | value |",
    "| --- | --- |",
    ...lines,
    "",
  ].join("\n");
}
