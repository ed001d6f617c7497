// Starts the page: makes the context that every view gets, then the views.
import { Announcer } from "./announcer.js";
import { BrowserTab } from "./browser-tab.js";
import { CodePanel } from "./code-panel.js";
import { Composer } from "./composer.js";
import { ConnectionBar } from "./connection-bar.js";
import { ConnectionTabs } from "./connection-tabs.js";
import { Connections } from "./connections.js";
import { byId, element } from "./dom.js";
import { openExport } from "./export-dialog.js";
import { openKeys } from "./keys-dialog.js";
import { openLink, openLinkDialog } from "./link-dialog.js";
import { LogView } from "./log-view.js";
import { MeasurePanel } from "./measure-panel.js";
import { menu } from "./menu.js";
import { MessagePanel } from "./message-panel.js";
import { Panels } from "./panels.js";
import { ScenarioPanel } from "./scenario-panel.js";
import { startSeparator } from "./separator.js";
import { ServerPanel } from "./server-panel.js";
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
  // With credentials, a browser would ask its user for a name and a password as soon as the page opens.
  facts: fetch(server.http("info"), { credentials: "omit" })
    .then((response) => (response.ok ? response.json() : null))
    .catch(() => null),
  device, // kept on this device: get(name, fallback), set(name, value)
  tab: new Kept("sessionStorage"), // the same, in this tab
  settings: new Settings(device),
  announce: (text, options) => announcer.announce(text, options),
  panels: new Panels(),
  connections: new Connections(page),
};
context.exportLog = () => openExport(context);
context.log = new LogView(context);
context.composer = new Composer(context);
new MessagePanel(context);
new MeasurePanel(context);
context.scenarios = new ScenarioPanel(context);
new ServerPanel(context);
context.bar = new ConnectionBar(context);
new CodePanel(context);
new ConnectionTabs(context);
new BrowserTab(context);

const showTheme = () => (document.documentElement.dataset.theme = context.settings.get("theme"));
context.settings.on("theme", showTheme);
showTheme();
startSeparator(context.settings);

// What the header offers on a wide page, the tabs' menu offers on a narrow one.
const tools = [
  { label: "Copy link", action: () => openLinkDialog(context) },
  { label: "Settings", action: () => openSettings(context) },
  { label: "Keys", action: openKeys },
];
byId("tools").append(...tools.map(({ label, action }) => element("button.quiet", { onclick: action }, label)));
const onNarrow = [
  { label: "Code", action: () => context.panels.show("code") },
  { label: "New connection", action: () => context.connections.open() },
];
const more = menu("", () => [...onNarrow, ...tools], { "aria-label": "More" });
more.classList.add("only-narrow");
byId("tabs").after(more);

openLink(context);
addEventListener("hashchange", () => openLink(context));
