import { integer } from "../model/format.js";
import { byId, element, icon, setText } from "./dom.js";
import { openDialog } from "./dialog.js";

/** The connections in the header: path, state and what arrived unseen; and a button for one more. */
export class ConnectionTabs {
  #connections;
  #items = new Map(); // by connection
  #list = element("ul.connection-tabs");
  #add;

  /** @param {Object} context */
  constructor({ connections }) {
    this.#connections = connections;
    const open = { "aria-label": "New connection", onclick: () => connections.open() };
    this.#add = element("button.quiet.only-wide", open, icon("add"));
    byId("connections").append(this.#list, this.#add);
    this.#list.addEventListener("keydown", (event) => this.#move(event));
    connections.on("list", () => this.#update());
    connections.on("active", () => this.#update());
    this.#update();
  }

  #update() {
    const { list, active } = this.#connections;
    for (const [connection, item] of this.#items) {
      if (list.includes(connection)) continue;
      item.off();
      item.element.remove();
      this.#items.delete(connection);
    }
    list.forEach((connection, index) => {
      const item = this.#items.get(connection) ?? this.#create(connection);
      if (connection === active) item.seen = connection.counts.received;
      item.select.setAttribute("aria-current", connection === active);
      item.select.tabIndex = connection === active ? 0 : -1;
      item.close.hidden = list.length === 1;
      item.number = index + 1;
      this.#draw(connection, item);
    });
    byId("app").dataset.connections = list.length;
    this.#items.get(active).element.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.#add.hidden = this.#connections.isFull;
  }

  #create(connection) {
    const text = element("span.connection-name");
    const unseen = element("span.unseen");
    const select = element("button", {}, element("span.dot", { "aria-hidden": "true" }), text, unseen);
    const close = element("button.quiet", {}, icon("close"));
    const item = { text, unseen, select, close, number: 0, seen: connection.counts.received };
    select.addEventListener("click", () => this.#connections.select(connection.id));
    close.addEventListener("click", () => this.#close(connection));
    item.element = element("li", {}, select, close);
    const offs = ["state", "counts"].map((name) => connection.on(name, () => this.#draw(connection, item)));
    item.off = () => offs.forEach((off) => off());
    this.#items.set(connection, item);
    this.#list.append(item.element);
    return item;
  }

  #draw(connection, item) {
    const isActive = connection === this.#connections.active;
    if (isActive) item.seen = connection.counts.received;
    const unseen = connection.counts.received - item.seen;
    const name = `${item.number} ${connection.name}`;
    setText(item.text, name);
    setText(item.unseen, unseen ? integer(unseen) : "");
    item.select.dataset.state = connection.state.name;
    const state = { idle: "not connected", waiting: "reconnecting" }[connection.state.name] ?? connection.state.name;
    const label = `${name}, ${state}${unseen ? `, ${integer(unseen)} unseen` : ""}`;
    if (item.select.getAttribute("aria-label") !== label) item.select.setAttribute("aria-label", label);
    item.close.setAttribute("aria-label", `Close connection ${item.number}`);
  }

  #close(connection) {
    if (!connection.isOpen) return this.#connections.close(connection.id);
    const close = () => {
      dialog.close();
      this.#connections.close(connection.id);
    };
    const dialog = openDialog(
      "Close this connection?",
      element("p", {}, "It is open. Its log and its draft go with it."),
      element(
        "div.toolbar",
        {},
        element("button.primary", { onclick: close }, "Disconnect and close"),
        element("button", { onclick: () => dialog.close() }, "Keep"),
      ),
    );
  }

  #move(event) {
    const isRightToLeft = getComputedStyle(this.#list).direction === "rtl";
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key] * (isRightToLeft ? -1 : 1);
    const { list, active } = this.#connections;
    if (!step) return;
    event.preventDefault();
    const next = list[(list.indexOf(active) + step + list.length) % list.length];
    this.#connections.select(next.id);
    this.#items.get(next).select.focus();
  }
}
