/** Named events of one object. Listeners run synchronously, in the order in which they were added. */
export class Emitter {
  #listeners = new Map();

  /**
   * @param {string} name
   * @param {(...values: any[]) => void} listener
   * @returns {() => void} removes the listener
   */
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    const listeners = this.#listeners.get(name).add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * @param {string} name
   * @param {...any} values passed to each listener
   */
  emit(name, ...values) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...values);
  }
}
