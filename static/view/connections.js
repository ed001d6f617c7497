import { isOwnServer } from "../model/address.js";
import { Connection } from "./connection.js";
import { Emitter } from "./events.js";

/** Connections that a page has at most; each has a worker and a log of its own. */
export const MOST_CONNECTIONS = 8;

/** The connections of the page. There is always one. Raises "list", "active", and "state" of any of them. */
export class Connections extends Emitter {
  #page;
  #next = 1;

  /** @param {URL} page the folder of the page */
  constructor(page) {
    super();
    this.#page = page;
    this.list = [];
    this.active = null;
    this.open();
  }

  /** The token for the server of this page: that of the active connection, unless it is for another server. */
  get ownToken() {
    const { url, token } = this.active.options;
    return isOwnServer(url, this.#page) ? token : "";
  }

  /** Whether there is room for another one. */
  get isFull() {
    return this.list.length >= MOST_CONNECTIONS;
  }

  /**
   * Add a connection and make it the active one.
   * @returns {Connection} the active one if there is no room
   */
  open() {
    if (this.isFull) return this.active;
    const connection = new Connection(this.#next, this.#page);
    const before = this.active;
    connection.options = { ...connection.options, url: before?.options.url ?? this.#defaultUrl() };
    this.#next += 1;
    connection.on("state", () => this.emit("state", connection));
    this.list = [...this.list, connection];
    this.active = connection;
    this.emit("list");
    this.emit("active");
    return connection;
  }

  #defaultUrl() {
    return new URL("ws", this.#page).href.replace(/^http/, "ws");
  }

  /**
   * End a connection, whatever it does. If none is left, a new one takes its place.
   * @param {number} id
   */
  close(id) {
    const index = this.list.findIndex((connection) => connection.id === id);
    if (index < 0) return;
    this.list[index].dispose();
    const wasActive = this.active === this.list[index];
    this.list = this.list.filter((connection) => connection.id !== id);
    if (this.list.length === 0) this.open();
    else {
      if (wasActive) this.active = this.list[Math.min(index, this.list.length - 1)];
      this.emit("list");
      if (wasActive) this.emit("active");
    }
  }

  /** @param {number} id of the connection that becomes the active one */
  select(id) {
    const connection = this.list.find((each) => each.id === id);
    if (!connection || connection === this.active) return;
    this.active = connection;
    this.emit("active");
  }
}
