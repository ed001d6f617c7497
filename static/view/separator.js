import { byId } from "./dom.js";

const [LEAST, MOST, STEP] = [24, 36, 1]; // rem

/** Lets mouse and arrow keys change the width of the panel. @param {import("./storage.js").Settings} settings */
export function startSeparator(settings) {
  const [separator, app] = [byId("separator"), byId("app")];
  const isRightToLeft = () => getComputedStyle(separator).direction === "rtl";
  const show = (width) => {
    app.style.setProperty("--panel-width", `${width}rem`);
    separator.setAttribute("aria-valuenow", Math.round(width));
  };
  const set = (width) => settings.set("panelWidth", Math.max(LEAST, Math.min(width, MOST)));
  separator.setAttribute("aria-valuemin", LEAST);
  separator.setAttribute("aria-valuemax", MOST);
  settings.on("panelWidth", show);
  show(Number(settings.get("panelWidth")) || 32);
  separator.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    set(settings.get("panelWidth") + (isRightToLeft() ? -step : step));
  });
  separator.addEventListener("pointerdown", (event) => separator.setPointerCapture(event.pointerId));
  separator.addEventListener("pointermove", (event) => {
    if (!separator.hasPointerCapture(event.pointerId)) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    set((isRightToLeft() ? event.clientX : innerWidth - event.clientX) / rem);
  });
}
