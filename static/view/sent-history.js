const MOST = 100;
const LONGEST = 16384; // characters of one entry
const MOST_CHARACTERS = 2 ** 20;

/** What was sent in this tab, newest last. The arrow keys of the composer walk through it. */
export class SentHistory {
  #tab;
  #entries;
  #at = null; // index of the shown entry; null: the draft
  #draft = null;

  /** @param {import("./storage.js").Kept} tab */
  constructor(tab) {
    this.#tab = tab;
    const kept = tab.get("history", []);
    this.#entries = Array.isArray(kept) ? kept.filter(isEntry).slice(-MOST) : [];
  }

  /** @param {{kind: string, text: string}} entry that was sent; a repetition is kept once */
  add({ kind, text }) {
    this.#at = null;
    if (!text || text.length > LONGEST) return;
    this.#entries = this.#entries.filter((entry) => entry.kind !== kind || entry.text !== text);
    this.#entries.push({ kind, text });
    let total = this.#entries.reduce((sum, entry) => sum + entry.text.length, 0);
    while (this.#entries.length > MOST || total > MOST_CHARACTERS) total -= this.#entries.shift().text.length;
    this.#tab.set("history", this.#entries);
  }

  /**
   * @param {-1 | 1} step older or newer
   * @param {{kind: string, text: string}} draft what is in the composer now
   * @returns {{kind: string, text: string} | null} null if there is no other entry in this direction
   */
  move(step, draft) {
    if (this.#at === null && step > 0) return null;
    if (this.#at === null) this.#draft = draft;
    const next = (this.#at ?? this.#entries.length) + step;
    if (next < 0) return null;
    this.#at = next < this.#entries.length ? next : null;
    return this.#at === null ? this.#draft : this.#entries[next];
  }

  /** Typing makes the shown entry a draft. */
  leave() {
    this.#at = null;
  }
}

function isEntry(entry) {
  return typeof entry?.text === "string" && ["text", "json", "hex", "base64"].includes(entry.kind);
}
