// The page: its frame, and which view is shown. The address names the view: `#session=s1`, `#recording=r1`, `#lesson=handshake`, …

import { h, fill } from "./dom.js";
import { Store } from "./store.js";
import { language, setLanguage, t, told } from "./i18n.js";
import { entitle } from "./parts/title.js";
import { say } from "./parts/toast.js";
import { nameOf } from "./assistant/name.js";
import { assistantViews } from "./assistant/views.js";
import { seeingViews } from "./seeing/views.js";

/**
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {string} title
 */

/**
 * A maker of views: by the key of the address, with its value. `signal` is aborted when the view is left.
 * @typedef {(store: Store, value: string, signal: AbortSignal) => View} Maker
 */

const store = new Store();
/** @type {Record<string, Maker>} */
const makers = { ...assistantViews, ...seeingViews };

const main = h("main", { class: "main", id: "main", tabIndex: -1 });
const side = h("nav", { class: "side", id: "side" });
const lost = h("div", { class: "lost-connection", role: "alert", hidden: true });
const bar = h("header", { class: "bar" });
document.body.append(h("div", { class: "shell" }, bar, lost, side, main));

let left = new AbortController();

function show() {
  left.abort();
  left = new AbortController();
  const [key, value] = parse(location.hash);
  const make = makers[key] ?? makers.home;
  const view = make(store, value, left.signal);
  entitle(view.title);
  fill(main, view.element);
  drawSide();
  side.classList.remove("is-open");
}

/** @param {string} hash */
function parse(hash) {
  const [key, ...rest] = hash.replace(/^#/, "").split("=");
  return [key || "home", decodeURIComponent(rest.join("="))];
}

function drawBar() {
  fill(
    bar,
    h("button", { class: "quiet icon side-toggle", "aria-label": t("side.menu"), onclick: () => side.classList.toggle("is-open") }, "☰"),
    h("a", { class: "brand", href: "#home" }, h("img", { src: "icon.svg", alt: "" }), "Sockeye"),
    h("span", { class: "soft small" }, t("brand.subtitle")),
    h("span", { class: "grow" }),
    h("button", { class: "quiet", onclick: () => setLanguage(language === "zh" ? "en" : "zh") }, t("language")),
    h("button", { class: "quiet icon", "aria-label": t("theme"), title: t("theme"), onclick: () => setTheme(theme() === "dark" ? "light" : "dark") }, "◐"),
  );
}

const STATES = /** @type {Record<string, string>} */ ({
  listening: "good", connected: "good", open: "good", opening: "busy", connecting: "busy", waiting: "busy", failed: "bad",
});

/** What the side shows. */
let sideShown = "";

function drawSide() {
  const [key, value] = parse(location.hash);
  const named = (/** @type {any} */ one) => [one.session ?? one.lan ?? one.recording, one.title, one.state, one.local];
  const shows = JSON.stringify([language, key, value, ...Object.values(store.entities).map((all) => [...all.values()].map(named))]);
  // News come twenty times a second: links that stay the same stay where they are, under the pointer and with the focus.
  if (shows === sideShown) return;
  sideShown = shows;
  /** @type {(kind: string, id: string, name: string, state?: string) => HTMLElement} */
  const link = (kind, id, name, state) =>
    h(
      "li",
      null,
      h(
        "a",
        { href: `#${kind}=${id}`, "aria-current": kind === key && id === value ? "page" : null },
        state !== undefined && h("span", { class: `dot ${STATES[state] ?? ""}`, title: t(`state.${state}`) }),
        h("span", { class: "name" }, name),
      ),
    );
  /** @type {(title: string, links: HTMLElement[], href: string) => HTMLElement} */
  const section = (title, links, href) =>
    h("section", null, h("h2", null, title, h("a", { href, "aria-label": `${t("side.new")}: ${title}` }, "+")), h("ul", null, links));
  fill(
    side,
    section(t("side.sessions"), store.all("sessions").map((one) => link("session", one.session, nameOf(one), one.state)), "#new"),
    section(t("side.lans"), store.all("lans").map((one) => link("lan", one.lan, one.title)), "#lan"),
    section(t("side.recordings"), store.all("recordings").map((one) => link("recording", one.recording, one.lesson ? told(`lesson.${one.lesson.name}`, {}, one.title) : one.title)), "#open"),
    // There is nothing to be opened anew: the heading leads to all of them.
    h("section", null, h("ul", null, h("li", null, h("a", { href: "#lessons", "aria-current": key === "lessons" ? "page" : null }, h("span", { class: "name" }, t("side.lessons")))))),
  );
}

function theme() {
  return document.documentElement.dataset.theme;
}

/** @param {string} name */
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
  document.dispatchEvent(new Event("theme"));
}

setTheme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
setLanguage(language);
document.addEventListener("language", () => {
  drawBar();
  fill(lost, t("connection.lost"));
  show();
});
store.addEventListener("connection", () => {
  lost.hidden = store.isConnected;
});
store.addEventListener("news", drawSide);
addEventListener("hashchange", show);
addEventListener("error", (event) => say(String(event.message)));
drawBar();
fill(lost, t("connection.lost"));
// The first view waits for the first news: it may name something that the assistant has.
store.addEventListener("news", show, { once: true });
