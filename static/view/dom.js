// Elements from text. No other module creates elements, and none parses markup.
import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Create an element. `element("button.primary", { type: "button", onclick: send }, "Send")`.
 * @param {string} kind tag name, followed by classes: `span.tag.muted`
 * @param {Object<string, any>} attributes `on…` adds a listener, `style` takes an object, `value` and `checked` set
 *   the property; true sets an empty attribute; false, null and undefined set nothing; `aria-…` takes both
 * @param {...(Node|string|number|null|undefined|false)} children text is inserted as text
 * @returns {HTMLElement}
 */
export function element(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const created = document.createElement(tag);
  if (tag === "button") created.type = "button";
  if (classes.length) created.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) setAttribute(created, name, value);
  created.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return created;
}

function setAttribute(created, name, value) {
  if (name.startsWith("aria-") && typeof value === "boolean") created.setAttribute(name, value);
  else if (value === false || value === null || value === undefined) return;
  else if (name.startsWith("on")) created.addEventListener(name.slice(2), value);
  else if (name === "style") setStyle(created.style, value);
  else if (name === "value" || name === "checked") created[name] = value;
  else created.setAttribute(name, value === true ? "" : value);
}

function setStyle(style, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) style.setProperty(name, value);
    else style[name] = value;
  }
}

/**
 * @param {string} name a name in icons.js
 * @returns {SVGElement} an icon in the colour of the text, hidden from screen readers: a word or a label is beside it
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Change the text only if it differs, so that nothing is drawn or announced again.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return document.getElementById(id);
}
