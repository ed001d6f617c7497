// Validates custom resources of Kubernetes. Reads a JSON array of objects from standard input, and prints a JSON array
// of mistakes, each as one line of text.
//
// The validators are generated from the definitions of the projects. They accept fields that they do not know, which
// Kubernetes would drop. So each object is read through a proxy that notes which fields the validator looks at.

import { readFileSync } from "node:fs";

const PACKAGES = {
  "gateway.envoyproxy.io": "envoy-gateway",
  "gateway.networking.k8s.io": "gateway-api",
  "monitoring.coreos.com": "prometheus-operator",
};

// Wraps a value. `unread` gets the path of every field, and loses those that are read.
function watched(value, path, unread) {
  if (typeof value !== "object" || value === null) return value;
  const inner = {};
  for (const key of Object.keys(value)) {
    inner[key] = watched(value[key], `${path}/${key}`, unread);
    unread.add(`${path}/${key}`);
  }
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== "string" || !Object.hasOwn(inner, key)) return target[key];
      unread.delete(`${path}/${key}`);
      return inner[key];
    },
  });
}

async function mistakes(resource) {
  const { apiVersion, kind, metadata } = resource;
  const name = `@kubernetes-models/${PACKAGES[apiVersion.split("/")[0]]}/${apiVersion}`;
  const model = (await import(`${name}/${kind}`))[kind];
  const unread = new Set();
  const found = [];
  try {
    // The constructor would copy the fields.
    model.prototype.validate.call(watched(resource, "", unread));
  } catch (error) {
    found.push(error.message);
  }
  const unknown = [...unread].filter((path) => !path.startsWith("/metadata/"));
  if (!found.length && unknown.length) found.push(`unknown: ${unknown.join(" ")}`);
  return found.map((text) => `${kind} ${metadata.name}: ${text}`);
}

const resources = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify((await Promise.all(resources.map(mistakes))).flat()));
