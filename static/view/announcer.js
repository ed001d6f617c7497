const INTERVAL = 2000;

/** A polite live region that speaks at most once in 2 s. What is urgent is spoken at once. */
export class Announcer {
  #region;
  #waiting = "";
  #timer = 0;
  #last = -INTERVAL;

  /** @param {HTMLElement} region */
  constructor(region) {
    this.#region = region;
  }

  /**
   * @param {string|(() => string)} text replaces a text that still waits; a function is called when it is spoken
   * @param {{urgent?: boolean}} options
   */
  announce(text, { urgent = false } = {}) {
    this.#waiting = text;
    const rest = this.#last + INTERVAL - performance.now();
    if (urgent || rest <= 0) this.#speak();
    else if (!this.#timer) this.#timer = setTimeout(() => this.#speak(), rest);
  }

  #speak() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#last = performance.now();
    this.#region.textContent = typeof this.#waiting === "function" ? this.#waiting() : this.#waiting;
  }
}
