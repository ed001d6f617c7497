const DIRECTIONS = ["sent", "received", "event", "gap"];
const KINDS = ["text", "json", "binary", "empty", "file"];
const ECHOES = [null, "same", "differs", "lost", "waiting", "none"];
const COLUMNS = {
  time: Float64Array,
  size: Float64Array,
  roundTrip: Float64Array,
  direction: Uint8Array,
  kind: Uint8Array,
  echo: Uint8Array,
  echoAt: Float64Array,
  echoOf: Float64Array,
};
const SMALLEST = 1024;

/**
 * The rows of a log, as columns, so that many rows cost little memory. Ids count up and are never used again. When a
 * limit is exceeded, the oldest tenth of the rows is dropped.
 *
 * A row is `{id, time, direction, kind, size, roundTrip, payload, echo, event}`: `time` in ms since the epoch, `size`
 * in bytes, `roundTrip` in ms or NaN; `payload` a string, Uint8Array or Blob; `echo` null or `{state, at, of}` with
 * the offset of the first byte that differs and the id of the row that was echoed; `event` null or `{tone, text}` for
 * the directions "event" and "gap".
 */
export class LogStore {
  #limits;
  #columns;
  #payloads;
  #bytes;
  #blobBytes;
  #base;
  #length;

  /**
   * @param {{maxRows?: number, maxBytes?: number, maxBlobBytes?: number}} limits of rows; of bytes of text and binary
   *   payloads; of bytes of blobs, which browsers keep outside the page, on disk if they are long
   */
  constructor({ maxRows = 100_000, maxBytes = 64 * 2 ** 20, maxBlobBytes = 512 * 2 ** 20 } = {}) {
    this.#limits = { maxRows, maxBytes, maxBlobBytes };
    this.#base = 0;
    this.#empty();
  }

  /** Id of the oldest row; equal to `endId` if there is none. */
  get firstId() {
    return this.#base;
  }

  /** The id that the next row gets. */
  get endId() {
    return this.#base + this.#length;
  }

  /** Number of rows. */
  get length() {
    return this.#length;
  }

  /**
   * Append a row. What an echo shows is noted at the row that was sent, too.
   * @param {Object} row without an id
   * @returns {number} its id
   */
  append({ time, direction, kind = "text", size = 0, roundTrip = NaN, payload = "", echo = null, event = null }) {
    if (this.#length >= this.#limits.maxRows) this.#drop();
    if (this.#length === this.#columns.time.length) this.#grow();
    const at = this.#length;
    const columns = this.#columns;
    columns.time[at] = time;
    columns.size[at] = size;
    columns.roundTrip[at] = roundTrip;
    columns.direction[at] = DIRECTIONS.indexOf(direction);
    columns.kind[at] = KINDS.indexOf(kind);
    this.#length += 1;
    this.#payloads.push(event ?? payload);
    this.#weigh(this.#payloads[at], 1);
    const id = this.#base + at;
    this.setEcho(id, echo);
    if (direction === "received" && echo?.of >= this.#base) {
      columns.roundTrip[echo.of - this.#base] = roundTrip;
      this.setEcho(echo.of, { state: echo.state, at: echo.at });
    }
    while (this.#isHeavy() && this.#length > 1) this.#drop();
    return id;
  }

  /**
   * @param {number} id
   * @returns {Object|null} a copy of the row; null if it was dropped, cleared or never there
   */
  get(id) {
    const at = id - this.#base;
    if (!Number.isInteger(id) || at < 0 || at >= this.#length) return null;
    const columns = this.#columns;
    const direction = DIRECTIONS[columns.direction[at]];
    const held = this.#payloads[at];
    const isEvent = direction === "event" || direction === "gap";
    const state = ECHOES[columns.echo[at]];
    return {
      id,
      time: columns.time[at],
      direction,
      kind: KINDS[columns.kind[at]],
      size: columns.size[at],
      roundTrip: columns.roundTrip[at],
      payload: isEvent ? "" : held,
      echo: state && { state, at: columns.echoAt[at], of: columns.echoOf[at] },
      event: isEvent ? held : null,
    };
  }

  /**
   * Note what became of a row's echo. Ids of rows that are gone are ignored.
   * @param {number} id
   * @param {{state: string, at?: number, of?: number}|null} echo
   */
  setEcho(id, echo) {
    const at = id - this.#base;
    if (!(at >= 0 && at < this.#length)) return;
    this.#columns.echo[at] = Math.max(0, ECHOES.indexOf(echo?.state ?? null));
    this.#columns.echoAt[at] = echo?.at ?? NaN;
    this.#columns.echoOf[at] = echo?.of ?? NaN;
  }

  /**
   * Remove all rows.
   * @returns {Object} what `restore` needs
   */
  clear() {
    const token = {
      columns: this.#columns,
      payloads: this.#payloads,
      weights: [this.#bytes, this.#blobBytes],
      base: this.#base,
      length: this.#length,
      dropped: this.dropped,
    };
    this.#base = this.endId;
    this.#empty();
    return token;
  }

  /**
   * Bring back the rows that `clear` removed.
   * @param {Object} token
   * @returns {boolean} false if rows were appended since: then nothing changes
   */
  restore(token) {
    if (this.#length > 0 || this.#base !== token.base + token.length) return false;
    this.#columns = token.columns;
    this.#payloads = token.payloads;
    [this.#bytes, this.#blobBytes] = token.weights;
    this.#base = token.base;
    this.#length = token.length;
    this.dropped = token.dropped;
    return true;
  }

  #empty() {
    this.#columns = mapColumns((type) => new type(Math.min(SMALLEST, this.#limits.maxRows)));
    this.#payloads = [];
    this.#bytes = 0;
    this.#blobBytes = 0;
    this.#length = 0;
    /** Rows dropped since the log was last empty. */
    this.dropped = 0;
  }

  #grow() {
    const size = Math.min(2 * this.#length, this.#limits.maxRows);
    this.#columns = mapColumns((type, name) => {
      const column = new type(size);
      column.set(this.#columns[name]);
      return column;
    });
  }

  #drop() {
    const count = Math.ceil(this.#length / 10);
    for (const payload of this.#payloads.splice(0, count)) this.#weigh(payload, -1);
    for (const column of Object.values(this.#columns)) column.copyWithin(0, count, this.#length);
    this.#base += count;
    this.#length -= count;
    this.dropped += count;
  }

  // A string costs up to two bytes for a UTF-16 unit; what a row of any kind costs besides is in the limit of rows.
  #weigh(payload, sign) {
    if (payload instanceof Uint8Array) this.#bytes += sign * payload.length;
    else if (typeof payload === "string") this.#bytes += sign * payload.length;
    else if (typeof payload.size === "number") this.#blobBytes += sign * payload.size;
  }

  #isHeavy() {
    return this.#bytes > this.#limits.maxBytes || this.#blobBytes > this.#limits.maxBlobBytes;
  }
}

function mapColumns(make) {
  return Object.fromEntries(Object.entries(COLUMNS).map(([name, type]) => [name, make(type, name)]));
}
