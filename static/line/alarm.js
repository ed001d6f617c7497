import { now } from "./clock.js";

const SPIN = 1; // ms

/**
 * A timer that is late by about a millisecond at most, if the thread is free. Browsers delay a timer that was set by
 * another timer to 4 ms; one that was set by a message is not delayed. The last millisecond passes in messages.
 */
export class Alarm {
  #ring;
  #channel = new MessageChannel();
  #isPosted = false;
  #timer = 0;
  #at = Infinity;

  /** @param {() => void} ring called once for each `set` */
  constructor(ring) {
    this.#ring = ring;
    this.#channel.port1.onmessage = () => this.#turn();
  }

  /** @param {number} at ms since the epoch; replaces the moment that was set before; Infinity: never */
  set(at) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#at = at;
    if (at !== Infinity) this.#post();
  }

  #post() {
    if (this.#isPosted) return;
    this.#isPosted = true;
    this.#channel.port2.postMessage(null);
  }

  #turn() {
    this.#isPosted = false;
    const rest = this.#at - now();
    if (this.#at === Infinity || this.#timer) return;
    if (rest <= 0) {
      this.#at = Infinity;
      this.#ring();
    } else if (rest < SPIN) this.#post();
    else {
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.#post();
      }, Math.min(rest, 60_000));
    }
  }
}
