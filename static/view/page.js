// Starts the page: makes the context that every view gets, then the views.
import { Announcer } from "./announcer.js";
import { byId, element } from "./dom.js";
import { openKeys } from "./keys-dialog.js";
import { menu } from "./menu.js";
import { Panels } from "./panels.js";
import { ScenarioPanel } from "./scenario-panel.js";
import { ServerPanel } from "./server-panel.js";
import { startSeparator } from "./separator.js";
import { openSettings } from "./settings-dialog.js";
import { Kept, Settings } from "./storage.js";

const page = new URL(".", location.href);
page.search = page.hash = "";

const server = {
  page,
  http: (path) => new URL(path, page).href,
  socket: (path) => new URL(path, page).href.replace(/^http/, "ws"),
};

const device = new Kept("localStorage");
const announcer = new Announcer(byId("announcer"));

/** What every view is constructed with. */
export const context = {
  server,
  facts: fetch(server.http("info"))
    .then((response) => (response.ok ? response.json() : null))
    .catch(() => null),
  device, // kept on this device: get(name, fallback), set(name, value)
  tab: new Kept("sessionStorage"), // the same, in this tab
  settings: new Settings(device),
  announce: (text, options) => announcer.announce(text, options),
  panels: new Panels(),
};

const showTheme = () => (document.documentElement.dataset.theme = context.settings.get("theme"));
context.settings.on("theme", showTheme);
showTheme();
startSeparator(context.settings);

context.scenarios = new ScenarioPanel(context);
new ServerPanel(context);

// What the header offers on a wide page, the tabs' menu offers on a narrow one.
const tools = [
  { label: "Settings", action: () => openSettings(context) },
  { label: "Keys", action: openKeys },
];
byId("tools").append(...tools.map(({ label, action }) => element("button.quiet", { onclick: action }, label)));
const more = menu("", () => [{ label: "Code", action: () => context.panels.show("code") }, ...tools], {
  "aria-label": "More",
});
more.classList.add("only-narrow");
byId("tabs").after(more);
