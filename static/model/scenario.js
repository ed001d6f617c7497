// The catalogue of /scenarios.json, and the URL of a scenario as a form. Whatever the catalogue holds becomes text.

const MOST_ROWS = 2000;
const MOST_CHARACTERS = 2000;
// Options that change neither what a client sees nor when.
const NEUTRAL = new Set(["key", "seed", "reason", "body", "retry-after", "framing"]);

const text = (value) => (typeof value === "string" ? value.slice(0, MOST_CHARACTERS) : "");
const list = (value) => (Array.isArray(value) ? value.slice(0, MOST_ROWS) : []);
const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
const number = (value) => (Number.isFinite(value) ? value : null);

/**
 * @typedef {{name: string, type: string, accepts: string, meaning: string, optional: boolean, default: string|null,
 *   least: number|null, most: number|null, choices: string[]}} Argument
 * @typedef {{number: string, url: string, group: string, name: string, server: string, client: string, rfc: string,
 *   act: string, messages: string[]|null, echoes: boolean, slow: number, needs: string[], opening: boolean,
 *   browser: object|null}} Row `url` is path and query; `browser` is what a browser must see, null if the catalogue
 *   does not say; with `echoes`, the messages are those that the act sends
 * @typedef {{steps: {name: string, values: (string|null)[]}[], options: Map<string, string>}} Form
 */

/** The catalogue: `groups` are [letter, name], `rows` are all rows in their order. */
export class Catalogue {
  /** @param {any} json the content of /scenarios.json; what is not as it should be is left out */
  constructor(json) {
    const content = object(json);
    this.version = text(content.version);
    this.groups = Object.entries(object(content.groups)).map(([letter, name]) => [letter, text(name)]);
    this.words = new Map(list(content.words).map((word) => [text(object(word).name), readWord(object(word))]));
    const options = list(content.options).map((each) => ({ ...readArgument(each), optional: true }));
    this.options = new Map(options.map((each) => [each.name, each]));
    this.words.set("times", structure("{count} connections get what follows.", [{ ...readArgument({ name: "count", type: "count" }), least: 1 }]));
    this.words.set("next", structure("Later connections get what follows.", []));
    const owned = list(content.words).flatMap((word) => list(object(word).rows).map((row) => readRow(row, word)));
    const several = { name: "several connections", group: "E", client: "Connects again.", server: "" };
    this.rows = [...owned, ...list(content.sequences).map((row) => readRow(row, several))]
      .filter((row) => row.url.startsWith("/ws"))
      .slice(0, MOST_ROWS);
  }

  /**
   * @param {string} url path and query of a scenario
   * @returns {Form} its steps and options; the path up to the first step that the catalogue does not have
   */
  form(url) {
    const [path, query = ""] = url.split(/\?(.*)/s);
    const segments = path.split("/").slice(2).filter(Boolean).map(decoded);
    const steps = [];
    while (segments.length) {
      const name = [segments.slice(0, 2).join("/"), segments[0]].find((each) => this.words.has(each));
      if (name === undefined) break;
      segments.splice(0, name.split("/").length);
      const values = this.words.get(name).arguments.map(() => segments.shift() ?? null);
      steps.push({ name, values });
    }
    const pairs = query.split("&").filter(Boolean).map((pair) => pair.split(/=(.*)/s));
    return { steps, options: new Map(pairs.map(([name, value = ""]) => [fromQuery(name), fromQuery(value)])) };
  }

  /**
   * @param {Form} form
   * @returns {string[]} what the server does in each step, with the values of its arguments
   */
  sentences(form) {
    return form.steps.map(({ name, values }) => {
      const word = this.words.get(name);
      const named = new Map(word.arguments.map((each, index) => [each.name, values[index] ?? each.default]));
      return word.server.replace(/\{([a-z-]+)\}/g, (braces, key) => named.get(key) ?? braces);
    });
  }

  /**
   * @param {Form} form
   * @returns {{id: string, label: string, step: number|null, argument: Argument, value: string|null, own: boolean}[]}
   *   a field for each argument, then for each option; `own` are the arguments, the options of the form's steps, and
   *   those that are set
   */
  fields(form) {
    const used = form.steps.map(({ name }) => this.words.get(name));
    const fields = form.steps.flatMap(({ name, values }, step) =>
      used[step].arguments.map((argument, index) => {
        const [id, label] = [`${step}.${index}`, `${name}: ${argument.name}`];
        return { id, label, step, argument, value: values[index], own: true };
      }),
    );
    const owners = new Set([...this.words.values()].flatMap((word) => word.options));
    for (const [name, argument] of this.options) {
      const own = used.some((word) => word.options.includes(name)) || form.options.has(name);
      if (!own && owners.has(name)) continue;
      fields.push({ id: name, label: name, step: null, argument, value: form.options.get(name) ?? null, own });
    }
    return fields;
  }

  /**
   * What a browser must see of a form that was made from a row. The catalogue knows it for the values of the row; close
   * codes, counts and durations carry over to other values.
   * @param {Row} row
   * @param {Form} form
   * @returns {object|null} as `row.browser`; null if the outcome with these values is not known
   */
  expected(row, form) {
    const before = this.form(row.url);
    const same = (name) => before.options.get(name) === form.options.get(name);
    const names = [...new Set([...before.options.keys(), ...form.options.keys()])];
    if (!row.browser || names.some((name) => !NEUTRAL.has(name) && !same(name))) return null;
    let expected = { ...row.browser };
    for (const [step, { name, values }] of form.steps.entries()) {
      for (const [index, argument] of this.words.get(name).arguments.entries()) {
        const [old, value] = [before.steps[step].values[index] ?? argument.default, values[index] ?? argument.default];
        if (old !== value && expected) expected = carriedOver(expected, argument, old, value, row);
      }
    }
    return expected;
  }
}

function readWord(word) {
  const known = object(word);
  return {
    server: text(known.server),
    arguments: list(known.arguments).map(readArgument),
    options: list(known.options).map(text),
  };
}

const structure = (server, words) => ({ server, arguments: words, options: [] });

function readArgument(value) {
  const argument = object(value);
  return {
    name: text(argument.name),
    type: text(argument.type),
    accepts: text(argument.accepts),
    meaning: text(argument.meaning),
    optional: argument.optional === true,
    default: typeof argument.default === "string" ? text(argument.default) : null,
    least: number(argument.least),
    most: number(argument.most),
    choices: list(argument.choices).map(text),
  };
}

function readRow(value, word) {
  const row = object(value);
  const browser = object(row.browser);
  const messages = object(row.expect).messages;
  return {
    number: text(row.number),
    url: text(row.url),
    group: text(word.group),
    name: text(word.name),
    server: text(word.server),
    client: text(word.client),
    rfc: text(word.rfc),
    act: text(row.act),
    messages: Array.isArray(messages) ? list(messages).map(text) : null,
    echoes: Number.isInteger(object(row.expect).echoes),
    slow: number(row.slow) ?? 0,
    needs: list(row.needs).map(text),
    opening: word.stage === "opening",
    browser: Object.keys(browser).length ? browser : null,
  };
}

function carriedOver(expected, { type }, old, value, row) {
  const { close, messages, within } = expected;
  if (type === "closecode" && row.act === "wait") {
    const codes = close?.codes?.map((code) => (code === Number(old) ? Number(value) : code));
    return codes ? { ...expected, close: { ...close, codes } } : expected;
  }
  if (type === "count" && expected.opens === false) return expected;
  if (type === "count" && messages?.least === Number(old) && messages?.most === Number(old)) {
    return { ...expected, messages: { least: Number(value), most: Number(value) } };
  }
  const [less, more] = [seconds(old), seconds(value)];
  if (type !== "duration" || row.act !== "wait" || less === null || more === null) return null;
  return { ...expected, within: Math.max(0, (within ?? 5) + more - less) };
}

/**
 * @param {string} value a duration such as 500ms, 2s, 5m or 2
 * @returns {number|null} seconds; null if it is none
 */
export function seconds(value) {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|)$/.exec(value ?? "");
  return match ? Number(match[1]) * { ms: 0.001, s: 1, m: 60, "": 1 }[match[2]] : null;
}

/**
 * @param {string} value a size such as 100, 64KiB or 1MiB
 * @returns {number|null} bytes; null if it is none
 */
export function bytes(value) {
  const match = /^(\d{1,15})(GiB|MiB|KiB|B|)$/.exec(value ?? "");
  return match ? Number(match[1]) * 1024 ** ["", "KiB", "MiB", "GiB"].indexOf(match[2].replace(/^B$/, "")) : null;
}

/**
 * @param {Argument} argument
 * @param {string|null} value as typed; null or empty if left out
 * @returns {string} what is wrong with the value; empty if nothing is
 */
export function problem(argument, value) {
  if (value === null || value === "") {
    return argument.optional || argument.default !== null ? "" : `${argument.name} is needed: ${argument.accepts}`;
  }
  const isWord = argument.choices.includes(value);
  const read = { count: (each) => (/^\d{1,15}$/.test(each) ? Number(each) : null), duration: seconds, size: bytes };
  if (isWord || (argument.type === "duration" && value === "forever")) return "";
  if (argument.choices.length && argument.type === "choice") return `must be ${argument.accepts}`;
  if (!Object.hasOwn(read, argument.type)) return "";
  const amount = read[argument.type](value);
  const isInside = amount !== null && amount >= (argument.least ?? 0) && amount <= (argument.most ?? Infinity);
  return isInside ? "" : `must be ${argument.accepts}`;
}

/**
 * @param {Form} form
 * @returns {string} path and query that say it; arguments at the end that are null are left out
 */
export function url(form) {
  const segments = form.steps.flatMap(({ name, values }) => [...name.split("/"), ...values]);
  while (segments.at(-1) === null) segments.pop();
  const path = ["/ws", ...segments.map((segment) => (segment === null ? "" : encoded(segment || "hex:")))].join("/");
  const pairs = [...form.options].map(([name, value]) =>
    value === "" ? encoded(name) : `${encoded(name)}=${encoded(value).replaceAll("%2F", "/")}`,
  );
  return pairs.length ? `${path}?${pairs.join("&")}` : path;
}

// `.` and `..` would be resolved, even as %2e.
function encoded(value) {
  if (value === "." || value === "..") return `hex:${"2e".repeat(value.length)}`;
  return encodeURIComponent(value.replace(/[\ud800-\udfff]/gu, "\ufffd")).replace(/%(3A|2C|40)/g, decodeURIComponent);
}

function decoded(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const fromQuery = (value) => decoded(value.replaceAll("+", "%20"));
