// What the server saw of connections under a key (/seen), in a few facts for people. Whatever it holds becomes text.

const MOST_EVENTS = 50;
const object = (value) => (value && typeof value === "object" ? value : {});
const list = (value) => (Array.isArray(value) ? value : []);
const word = (value) => String(value ?? "?").slice(0, 200);
const seconds = (value) => (Number.isFinite(value) ? `${value.toFixed(3)} s` : "unknown time");

/**
 * @param {any} json the answer of /seen
 * @returns {{title: string, facts: [string, string][], events: string[]}[]} one a connection
 */
export function seenByServer(json) {
  return list(object(json).connections).slice(0, 50).map((each) => {
    const connection = object(each);
    return {
      title: `Connection ${word(connection.attempt)}`,
      facts: [
        ["Answered", Number.isFinite(connection.status) ? `status ${connection.status}` : "not"],
        ["Received", traffic(connection.received)],
        ["Sent", traffic(connection.sent)],
        ["Close frame received", closeFrame(object(connection.close).received)],
        ["Close frame sent", closeFrame(object(connection.close).sent)],
        ["TCP ended by this browser", end(object(connection.tcp).client)],
        ["TCP ended by the server", end(object(connection.tcp).server)],
      ],
      events: list(connection.events).slice(0, MOST_EVENTS).map((event) => eventLine(object(event))),
    };
  });
}

function traffic(direction) {
  const { bytes, ...opcodes } = object(direction);
  const frames = Object.entries(opcodes).filter(([, each]) => object(each).frames > 0);
  const counted = frames.map(([opcode, each]) => `${word(each.frames)} ${word(opcode)}`);
  return `${word(bytes ?? 0)} bytes${counted.length ? `: ${counted.join(", ")}` : ""}`;
}

function closeFrame(frame) {
  if (!frame) return "none";
  const { at, code } = object(frame);
  return `${word(code)} after ${seconds(at)}`;
}

function end(side) {
  if (!side) return "unknown, or only followed";
  const { at, how } = object(side);
  const words = { fin: "FIN", rst: "reset", close: "closed at once", none: "without a packet" };
  return `${Object.hasOwn(words, how) ? words[how] : word(how)} after ${seconds(at)}`;
}

function eventLine(event) {
  const arrow = event.from === "client" ? "↑" : "↓";
  const code = event.code === undefined ? "" : ` ${word(event.code)}`;
  return `${seconds(event.at)} ${arrow} ${word(event.frame)}${code} ${word(event.size)} B`;
}

/**
 * The round trips of the server's own pings.
 * @param {any} json the answer of /seen
 * @returns {number[]} ms between each ping and the pong behind it, in their order
 */
export function pingTimes(json) {
  const events = list(object(object(json).connections?.[0]).events).map(object);
  const timesOf = (side, name) =>
    events.filter(({ from, frame }) => from === side && frame === name).map(({ at }) => at);
  const pongs = timesOf("client", "pong");
  return timesOf("server", "ping").flatMap((at, index) => (pongs[index] >= at ? [(pongs[index] - at) * 1000] : []));
}
