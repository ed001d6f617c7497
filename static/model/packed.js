// To clone thousands of small objects a second would cost the worker and the page more than all else that they do with
// messages. Numbers in one table and bytes in one array are handed over without a copy.
const DIRECTIONS = ["sent", "received", "gap"];
const KINDS = ["text", "json", "binary", "empty", "file"];
const ECHOES = ["waiting", "same", "differs", "lost", "none"];
const COLUMNS = 8;
const CHANGES = 3;

/**
 * Pack what `Batch.take` returns for `postMessage`.
 * @param {object[]} rows messages with `kind` and `payload`, and gaps
 * @param {{key: number, echo: {state: string, at?: number}}[]} updates
 * @returns {{packed: object, transfer: ArrayBuffer[]}}
 */
export function pack(rows, updates) {
  const table = new Float64Array(rows.length * COLUMNS);
  const bytes = new Uint8Array(rows.reduce((sum, { payload }) => sum + (isBytes(payload) ? payload.length : 0), 0));
  const payloads = []; // of messages; null: the next bytes
  let end = 0;
  rows.forEach((row, index) => {
    const { payload } = row;
    table.set(row.direction === "gap" ? gapColumns(row) : messageColumns(row), index * COLUMNS);
    if (row.direction !== "gap") payloads.push(isBytes(payload) ? null : payload);
    if (!isBytes(payload)) return;
    bytes.set(payload, end);
    end += payload.length;
  });
  const changes = new Float64Array(updates.length * CHANGES);
  updates.forEach(({ key, echo }, index) => {
    changes.set([key, ECHOES.indexOf(echo.state), echo.at ?? NaN], index * CHANGES);
  });
  return { packed: { table, bytes, payloads, changes }, transfer: [table.buffer, bytes.buffer, changes.buffer] };
}

const isBytes = (payload) => payload instanceof Uint8Array;
const gapColumns = ({ time, bytes, count }) => [DIRECTIONS.indexOf("gap"), time, bytes, count];

// A sent message has a key. A received one has that of the message whose echo it is.
function messageColumns({ key, direction, time, size, roundTrip, kind, echo }) {
  const number = direction === "sent" ? key : (echo.of ?? NaN);
  const state = ECHOES.indexOf(echo.state);
  return [DIRECTIONS.indexOf(direction), time, size, number, roundTrip, KINDS.indexOf(kind), state, echo.at ?? NaN];
}

/**
 * @param {object} packed what `pack` has made
 * @returns {{rows: object[], updates: {key: number, echo: {state: string, at: number}}[]}} a gap has `direction`,
 *   `time`, `bytes` and `count`; other rows have `direction`, `time`, `size`, `key`, `roundTrip`, `kind`, `payload` and
 *   `echo`, which is `{state, at, of}`
 */
export function unpack({ table, bytes, payloads, changes }) {
  const rows = [];
  let [message, end] = [0, 0];
  for (let at = 0; at < table.length; at += COLUMNS) {
    const direction = DIRECTIONS[table[at]];
    if (direction === "gap") {
      rows.push({ direction, time: table[at + 1], bytes: table[at + 2], count: table[at + 3] });
      continue;
    }
    const size = table[at + 2];
    const payload = payloads[message] ?? bytes.slice(end, (end += size));
    message += 1;
    rows.push(messageRow(direction, table, at, payload));
  }
  const updates = [];
  for (let at = 0; at < changes.length; at += CHANGES) {
    updates.push({ key: changes[at], echo: { state: ECHOES[changes[at + 1]], at: changes[at + 2] } });
  }
  return { rows, updates };
}

function messageRow(direction, table, at, payload) {
  const number = table[at + 3];
  const isSent = direction === "sent";
  const of = isSent || Number.isNaN(number) ? null : number;
  return {
    direction,
    time: table[at + 1],
    size: table[at + 2],
    key: isSent ? number : null,
    roundTrip: table[at + 4],
    kind: KINDS[table[at + 5]],
    echo: { state: ECHOES[table[at + 6]], at: table[at + 7], of },
    payload,
  };
}
