import { differsAt, isAlike } from "./difference.js";
import { integer } from "./format.js";
import { Outstanding } from "./outstanding.js";

/**
 * What became of the messages of a load. The counts are exact for payloads with a number (see `Series`). For others the
 * oldest message that has not come back is taken for the one that has, so a loss and a duplicate cancel out.
 */
export class Returns {
  /** @param {import("./series.js").Series} series */
  constructor(series) {
    this.series = series;
    this.times = new Outstanding(); // when the round trips began
    this.greatest = -1; // number of a message that has come back
    this.counts = { sent: 0, returned: 0, lost: 0, duplicated: 0, reordered: 0, altered: 0 };
  }

  /** Messages that have not come back. */
  get outstanding() {
    return this.times.size;
  }

  /**
   * Messages that are on their way: all that have not come back, without those that are late. A late message that comes
   * back is counted all the same.
   * @param {number} now ms
   * @param {number} patience ms after which a message is late
   * @returns {number}
   */
  inFlight(now, patience) {
    this.times.expire(now - patience);
    return this.times.size - this.times.late;
  }

  /**
   * Note that the next message is sent.
   * @param {number} time ms at which its round trip begins; generated payloads carry it
   * @returns {{number: number, data: string | Uint8Array}}
   */
  send(time) {
    const number = this.times.add(time);
    this.counts.sent += 1;
    return { number, data: this.series.make(number, time) };
  }

  /**
   * Count a message that was received.
   * @param {string | Uint8Array} data
   * @param {number} time ms
   * @returns {{number: number, state: "same" | "differs" | "none", at: number, roundTrip: number} | null} `at`: the
   *   first byte that differs, or -1; `roundTrip` is NaN for a duplicate, whose state is "none"; null: the message does
   *   not belong to the load
   */
  receive(data, time) {
    const number = this.#numberOf(data);
    if (number === null) return null;
    const began = this.times.take(number);
    if (Number.isNaN(began)) {
      this.counts.duplicated += 1;
      return { number, state: "none", at: -1, roundTrip: NaN };
    }
    this.counts.returned += 1;
    if (number < this.greatest) this.counts.reordered += 1;
    else this.greatest = number;
    const at = differsAt(data, this.series.make(number, began));
    if (at >= 0) this.counts.altered += 1;
    return { number, state: at < 0 ? "same" : "differs", at, roundTrip: time - began };
  }

  // A message of which the number itself was changed is taken for the oldest one that it looks like.
  #numberOf(data) {
    if ((typeof data === "string") !== this.series.isText) return null;
    const carried = this.series.numberIn(data);
    if (carried >= 0 && carried < this.counts.sent) return carried;
    const { oldest } = this.times;
    if (oldest >= 0 && isAlike(data, this.series.make(oldest, this.times.get(oldest)))) return oldest;
    const isAnother = !this.series.isNumbered && this.counts.sent > 0 && differsAt(data, this.series.template) < 0;
    return isAnother ? -1 : null;
  }

  /**
   * Note that nothing more comes back.
   * @returns {number} how many messages are lost by it
   */
  loseAll() {
    const lost = this.outstanding;
    this.counts.lost += lost;
    this.times.clear();
    return lost;
  }
}

/**
 * The result of a load in one sentence.
 * @param {{sent: number, returned: number, lost: number, duplicated: number, reordered: number, altered: number,
 *   skipped: number}} counts
 * @returns {string}
 */
export function outcome(counts) {
  const { sent, returned, lost, duplicated, reordered, altered, skipped = 0 } = counts;
  if (sent === 0) return "Nothing was sent.";
  const faults = [
    lost && `${integer(lost)} lost`,
    reordered && `${integer(reordered)} out of order`,
    altered && `${integer(altered)} altered`,
    duplicated && `${integer(duplicated)} more than sent`,
  ].filter(Boolean);
  const late = skipped ? ` ${integer(skipped)} were due but not sent.` : "";
  if (faults.length > 0) return `${integer(returned)} of ${integer(sent)} came back: ${faults.join(", ")}.${late}`;
  if (sent === 1) return `The message came back unchanged.${late}`;
  return `All ${integer(sent)} came back, in order, unchanged.${late}`;
}
