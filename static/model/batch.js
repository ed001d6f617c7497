/** Rows of one batch at most: one half from its beginning, one half from its end. */
export const MOST_ROWS = 2000;
/** Bytes of payload that one batch holds at most, apart from one message of any size. */
export const MOST_BYTES = 16 * 1024 * 1024;
const MOST_WATCHED = 100_000;

/**
 * What is handed over to the page of the messages since the last time. The first and the last rows are kept; a gap row
 * stands for those between them. Echoes are reported for the sent rows that were kept.
 *
 * A row is `{key, time, direction, size, payload, ...}`; `key` is a number of its own for each sent message.
 */
export class Batch {
  /**
   * @param {number} [mostRows]
   * @param {number} [mostBytes]
   */
  constructor(mostRows = MOST_ROWS, mostBytes = MOST_BYTES) {
    this.half = Math.max(1, Math.floor(mostRows / 2));
    this.mostBytes = mostBytes;
    this.watched = new Map(); // key → row; null once the row is handed over
    this.updates = [];
    this.#empty();
  }

  #empty() {
    this.first = [];
    this.last = [];
    this.oldest = 0; // where in `last` the oldest row is
    this.bytes = 0;
    this.omitted = null;
  }

  /** Whether there is something to hand over. */
  get isEmpty() {
    return this.first.length === 0 && this.updates.length === 0;
  }

  /** @param {object} row a message or an event */
  add(row) {
    this.bytes += row.size;
    if (row.direction === "sent") this.#watch(row);
    const fits = !this.omitted && this.last.length === 0 && this.first.length < this.half;
    if (fits && (this.bytes <= this.mostBytes || this.first.length === 0)) {
      this.first.push(row);
      return;
    }
    if (this.last.length - this.oldest >= this.half) this.#omitOldest();
    this.last.push(row);
    while (this.bytes > this.mostBytes && this.last.length - this.oldest > 1) this.#omitOldest();
    this.#compact();
  }

  #watch(row) {
    if (this.watched.size < MOST_WATCHED) this.watched.set(row.key, row);
  }

  #omitOldest() {
    const row = this.last[this.oldest];
    this.last[this.oldest] = undefined;
    this.oldest += 1;
    this.bytes -= row.size;
    this.watched.delete(row.key);
    this.omitted ??= { time: row.time, count: 0, bytes: 0 };
    this.omitted.count += 1;
    this.omitted.bytes += row.size;
  }

  // The omitted rows at the front are removed rarely, so that each row costs the same.
  #compact() {
    if (this.oldest < 2 * this.half) return;
    this.last.splice(0, this.oldest);
    this.oldest = 0;
  }

  /**
   * Note what became of a sent message. Nothing happens if its row was not kept.
   * @param {number} key
   * @param {{state: string, at?: number, roundTrip?: number}} echo
   */
  echo(key, echo) {
    const row = this.watched.get(key);
    if (!this.watched.delete(key)) return;
    if (row) row.echo = echo;
    else this.updates.push({ key, echo });
  }

  /** Note that no echo will come for all messages that still wait for one. */
  loseAll() {
    for (const key of [...this.watched.keys()]) this.echo(key, { state: "lost" });
  }

  /**
   * Take what is to be handed over; the batch is empty afterwards.
   * @returns {{rows: object[], updates: {key: number, echo: object}[]}} the gap is a row with direction "gap" and the
   *   fields `time`, `count` and `bytes`
   */
  take() {
    const gap = this.omitted ? [{ direction: "gap", size: 0, ...this.omitted }] : [];
    const rows = [...this.first, ...gap, ...this.last.slice(this.oldest)];
    for (const { key } of rows) if (this.watched.has(key)) this.watched.set(key, null);
    const updates = this.updates;
    this.updates = [];
    this.#empty();
    return { rows, updates };
  }
}
