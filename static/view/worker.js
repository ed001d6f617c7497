// The only Trusted Types policy of the page. It lets through the addresses of the page's own workers and nothing else.
const WORKERS = new Map(
  ["line", "filter", "trial"].map((name) => [name, new URL(`../line/${name}.js`, import.meta.url).href]),
);

const allow = (url) => {
  if (![...WORKERS.values()].includes(url)) throw new TypeError(`${url} is no worker of this page`);
  return url;
};
const rules = { createScriptURL: allow };
const policy = globalThis.trustedTypes?.createPolicy("wsecho", rules) ?? rules;

/**
 * @param {"line"|"filter"|"trial"} name the worker in line/NAME.js
 * @returns {Worker} a dedicated module worker
 */
export function startWorker(name) {
  return new Worker(policy.createScriptURL(WORKERS.get(name)), { type: "module" });
}
