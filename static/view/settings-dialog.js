import { element, setText } from "./dom.js";
import { openDialog } from "./dialog.js";

const THEMES = { system: "As the system", light: "Light", dark: "Dark" };
const TIMES = { clock: "Time of day", open: "Since the connection opened", before: "Since the row before" };

/** @param {Object} context opens the settings */
export function openSettings({ settings, device, tab }) {
  const forgotten = element("p", { role: "status" });
  const forget = () => {
    device.forget();
    tab.forget();
    settings.reset();
    setText(forgotten, "Everything was forgotten.");
  };
  openDialog(
    "Settings",
    choice(settings, "theme", "Colours", THEMES),
    choice(settings, "times", "Times in the log", TIMES),
    toggle(settings, "foldEchoes", "Fold an echo that is the same into what was sent"),
    toggle(settings, "announceMessages", "Tell screen readers about messages"),
    element("p.muted", {}, "Kept on this device: settings, saved messages, addresses. Never tokens."),
    element("div.toolbar", {}, element("button", { onclick: forget }, "Forget everything"), forgotten),
  );
}

function choice(settings, name, legend, values) {
  const options = Object.entries(values).map(([value, label]) => {
    const checked = settings.get(name) === value;
    const onchange = () => settings.set(name, value);
    return element("label", {}, element("input", { type: "radio", name, value, checked, onchange }), label);
  });
  return element("fieldset", {}, element("legend", {}, legend), element("div.toolbar", {}, ...options));
}

function toggle(settings, name, label) {
  const onchange = ({ target }) => settings.set(name, target.checked);
  return element("label", {}, element("input", { type: "checkbox", checked: settings.get(name), onchange }), label);
}
