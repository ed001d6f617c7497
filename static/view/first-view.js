import { bytes } from "../model/format.js";
import { element, setText } from "./dom.js";

/**
 * What the Message panel shows while no message is selected: what to try first, and what this server is.
 * @param {Object} context
 * @returns {HTMLElement}
 */
export function firstView(context) {
  const hello = () => context.connections.active.send({ kind: "text", data: "hello" });
  const show = (id) => () => context.panels.show(id);
  const greeting = offer("", "One message, and its echo with the round trip.", hello);
  const name = () => {
    const isOpen = context.connections.active.state.name === "connected";
    setText(greeting.firstChild, isOpen ? "Send “hello”" : "Connect and send “hello”");
  };
  for (const event of ["state", "active"]) context.connections.on(event, name);
  name();
  const facts = element("dl.facts");
  context.facts.then((info) => info?.server && facts.append(...factsOf(info.server).flatMap(pair)));
  return element(
    "div.stack.first-view",
    {},
    element("h2", {}, "What comes back, to the byte"),
    element("p.muted", {}, "Select a message to see all of it here. To begin:"),
    greeting,
    offer("Measure the round trip", "Many messages: percentiles, histogram, lost or altered echoes.", show("measure")),
    offer("Try a scenario", "Delays, closes, faults and limits, each by a URL.", show("scenarios")),
    facts,
  );
}

function offer(label, words, onclick) {
  return element("button.offer", { onclick }, element("strong", {}, label), element("span.muted", {}, words));
}

function factsOf({ version, permessage_deflate: deflate, scenarios, limits }) {
  return [
    ["Server", `wsecho ${version}`],
    ["Longest message", limits?.max_message_size ? bytes(limits.max_message_size) : "no limit"],
    ["Compression", deflate ? "permessage-deflate" : "off"],
    ["Scenarios", scenarios ? "on" : "off"],
  ];
}

function pair([term, description]) {
  return [element("dt", {}, term), element("dd", {}, description)];
}
