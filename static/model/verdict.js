// What a browser was expected to see of a scenario, beside what it saw.

/** The verdicts, each with its words. */
export const VERDICTS = {
  expected: "As expected",
  different: "Different",
  invisible: "Not visible from a browser",
  open: "Not run",
};

/**
 * @typedef {{opened: boolean, openedIn: number, protocol: string, messages: number, firstWrong: number,
 *   close: {code: number, reason: string, clean: boolean}|null}} Seen of one connection; `firstWrong` is the number of
 *   the first message that is not the listed one, 0 for none
 * @typedef {{connections: Seen[], seconds: number}} Run
 */

/**
 * @param {object|null} expected the `browser` block of a row; null if the outcome is not known
 * @param {Run|null} run null if it was not run
 * @returns {{verdict: "expected"|"different"|"invisible"|"open", rows: {name: string, expected: string, seen: string,
 *   same: boolean|null}[]}} `same` is null where the row demands nothing
 */
export function judge(expected, run) {
  const rows = run ? compared(expected ?? {}, run) : [];
  if (expected?.visible === false) return { verdict: "invisible", rows };
  if (!run) return { verdict: "open", rows };
  if (!expected) return { verdict: "invisible", rows };
  return { verdict: rows.some(({ same }) => same === false) ? "different" : "expected", rows };
}

function compared(expected, run) {
  const attempts = Array.isArray(expected.attempts) ? expected.attempts : null;
  const rows = [];
  if (attempts) {
    rows.push(choice("Connections", attempts.length, run.connections.length, String));
    for (const [index, attempt] of attempts.slice(0, run.connections.length).entries()) {
      rows.push(...ofConnection(attempt ?? {}, run.connections[index], `${index + 1}: `));
    }
  } else {
    rows.push(...ofConnection(expected, together(run.connections), ""));
  }
  const { within } = expected;
  const isBound = Number.isFinite(within);
  const time = row("Time", isBound ? `at most ${within} s` : "any", `${run.seconds.toFixed(2)} s`, null);
  return [...rows, { ...time, same: isBound ? run.seconds <= within : null }];
}

// Successive connections that a row describes as one: their messages together, and how the last one opened and ended.
function together(connections) {
  const last = connections.at(-1);
  if (!last) return { opened: false, protocol: "", messages: 0, firstWrong: 0, close: null };
  const messages = connections.reduce((sum, each) => sum + each.messages, 0);
  return { ...last, messages, firstWrong: connections.find((each) => each.firstWrong)?.firstWrong ?? 0 };
}

function ofConnection(expected, seen, prefix) {
  const rows = [choice("Opens", expected.opens, seen.opened, yes)];
  if (seen.opened && typeof expected.subprotocol === "string") {
    rows.push(choice("Subprotocol", expected.subprotocol, seen.protocol, (name) => name || "none"));
  }
  const close = expected.close;
  if (seen.opened || anyOf(expected.opens, true)) {
    rows.push(messages(expected.messages, seen));
    const orOpen = (words) => (value) => (value === null ? "still open" : words(value));
    rows.push(choice("Close code", close?.codes, seen.close?.code ?? null, orOpen(String)));
    if (close?.reason !== undefined) rows.push(choice("Reason", close.reason, seen.close?.reason ?? "", quoted));
    rows.push(choice("Clean", close?.clean, seen.close?.clean ?? null, orOpen(yes)));
  }
  return rows.map((each) => ({ ...each, name: prefix + each.name }));
}

function messages(expected, seen) {
  const { least, most } = expected ?? {};
  const found = seen.firstWrong ? `${seen.messages}, number ${seen.firstWrong} differs` : String(seen.messages);
  const isAny = !Number.isFinite(least) && !Number.isFinite(most);
  if (isAny) return row("Messages", "any", found, seen.firstWrong ? false : null);
  const [from, to] = [least ?? 0, most ?? Infinity];
  const range = from === to ? String(from) : to === Infinity ? `at least ${from}` : `${from} to ${to}`;
  return row("Messages", range, found, seen.messages >= from && seen.messages <= to && !seen.firstWrong);
}

const row = (name, expected, seen, same) => ({ name, expected, seen, same });
const quoted = (text) => `"${text}"`;
const yes = (value) => (value ? "yes" : "no");
const anyOf = (expected, value) => (Array.isArray(expected) ? expected : [expected]).slice(0, 100).includes(value);

function choice(name, expected, seen, words) {
  if (expected === undefined || expected === null) return row(name, "any", words(seen), null);
  const all = (Array.isArray(expected) ? expected : [expected]).slice(0, 100);
  return row(name, all.map(words).join(" or "), words(seen), all.includes(seen));
}

/**
 * @param {Iterable<{verdict: string}>} results
 * @param {string} browser and its system
 * @returns {string} "58 as expected, 1 different; Chromium 156, Linux"
 */
export function summary(results, browser) {
  const counts = { expected: 0, different: 0, invisible: 0, open: 0 };
  for (const { verdict } of results) counts[verdict] += 1;
  const words = { expected: "as expected", different: "different", invisible: "not visible", open: "not run" };
  const parts = Object.keys(words).filter((name) => counts[name] || name === "expected" || name === "different");
  return `${parts.map((name) => `${counts[name]} ${words[name]}`).join(", ")}; ${browser}`;
}

/**
 * @param {{number: string, url: string, verdict: string, rows: object[]}[]} results
 * @param {{browser: string, version: string, date: string}} facts
 * @returns {string} a heading and a Markdown table, a line each
 */
export function asMarkdown(results, facts) {
  const cells = (values) => `| ${values.map(cell).join(" | ")} |`;
  const lines = results.map(({ number, url, verdict, rows }) => {
    const different = rows.filter(({ same }) => same === false);
    const shown = different.map(({ name, expected, seen }) => `${name}: ${seen}, expected: ${expected}`);
    return cells([number, `\`${url}\``, VERDICTS[verdict], shown.join("; ")]);
  });
  const head = ["row", "scenario", "verdict", "seen"];
  return [
    `${summary(results, facts.browser)}; wsecho ${cell(facts.version)}; ${facts.date}`,
    "",
    cells(head),
    cells(head.map(() => "---")),
    ...lines,
    "",
  ].join("\n");
}

const cell = (value) => value.replace(/[\u0000-\u001f\u007f]/g, " ").replaceAll("|", "\\|");

/**
 * @param {{number: string, url: string, verdict: string, rows: object[]}[]} results
 * @param {{browser: string, version: string, date: string}} facts
 * @returns {string} JSON
 */
export function asJson(results, facts) {
  const rows = results.map(({ number, url, verdict, rows: compared }) => ({ number, url, verdict, compared }));
  return JSON.stringify({ ...facts, summary: summary(results, facts.browser), rows }, null, 2);
}

/**
 * @param {{brands?: {brand: string, version: string}[], platform?: string}|undefined} data navigator.userAgentData
 * @param {string} agent navigator.userAgent
 * @returns {string} such as "Chromium 156, Linux"
 */
export function browserName(data, agent) {
  const brand = data?.brands?.find(({ brand }) => !/not.?a.?brand/i.test(brand.replace(/\W/g, " ")));
  if (brand) return `${brand.brand} ${brand.version}, ${data.platform || "unknown system"}`;
  const match = /(Firefox|Edg|OPR|Chrome|Version)\/(\d+)/.exec(agent);
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1] ?? "unknown system";
  if (!match) return `unknown browser, ${system}`;
  const name = { Edg: "Edge", OPR: "Opera", Version: "Safari" }[match[1]] ?? match[1];
  return `${name} ${match[2]}, ${system}`;
}
