import { Emitter } from "./events.js";

const PREFIX = "wsecho.";

/** Values kept by the browser, as JSON. A browser that refuses storage, or has none left, keeps nothing. */
export class Kept {
  #area;

  /** @param {"localStorage"|"sessionStorage"} area kept on this device, or in this tab */
  constructor(area) {
    try {
      this.#area = globalThis[area];
    } catch {
      this.#area = null;
    }
  }

  /**
   * @param {string} name
   * @param {any} fallback returned if nothing, or nothing legible, is kept
   * @returns {any}
   */
  get(name, fallback = null) {
    try {
      return JSON.parse(this.#area.getItem(PREFIX + name)) ?? fallback;
    } catch {
      return fallback;
    }
  }

  /**
   * @param {string} name
   * @param {any} value null forgets the name
   * @returns {boolean} whether the value is kept
   */
  set(name, value) {
    try {
      if (value === null) this.#area.removeItem(PREFIX + name);
      else this.#area.setItem(PREFIX + name, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  /** Forget everything that this page has kept. */
  forget() {
    try {
      const names = Object.keys(this.#area).filter((name) => name.startsWith(PREFIX));
      for (const name of names) this.#area.removeItem(name);
    } catch {
      // Nothing was kept.
    }
  }
}

const DEFAULTS = {
  theme: "system",
  times: "clock",
  announceMessages: true,
  foldEchoes: false,
  panelWidth: 32,
};

/** The settings, kept on this device. Raises an event with the name of each setting that changes. */
export class Settings extends Emitter {
  #kept;
  #values;

  /** @param {Kept} kept */
  constructor(kept) {
    super();
    this.#kept = kept;
    const stored = kept.get("settings", {});
    this.#values = { ...DEFAULTS, ...(typeof stored === "object" && !Array.isArray(stored) ? stored : {}) };
  }

  /**
   * @param {string} name
   * @returns {any}
   */
  get(name) {
    return this.#values[name];
  }

  /**
   * @param {string} name
   * @param {any} value
   */
  set(name, value) {
    this.#values[name] = value;
    this.#kept.set("settings", this.#values);
    this.emit(name, value);
  }

  /** Return to the defaults, without keeping them. */
  reset() {
    this.#values = { ...DEFAULTS };
    for (const [name, value] of Object.entries(this.#values)) this.emit(name, value);
  }
}
