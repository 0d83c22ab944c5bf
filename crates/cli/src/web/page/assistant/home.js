// What a newcomer sees: what can be done here, one card each.

import { h, s } from "../dom.js";
import { t, told } from "../i18n.js";
import { complain } from "../parts/toast.js";
import { showHandshake } from "./handshake.js";
import { chooseProject, copyLink, saveProject } from "./project.js";

/** The drawings of the cards: lines on a field of 48 by 32. */
const DRAWINGS = /** @type {Record<string, string[]>} */ ({
  "tcp-server": ["M18 6h12v20H18z", "M21 11h6M21 15h6M21 19h2", "M4 8l9 5M4 24l9-5", "M44 8l-9 5M44 24l-9-5"],
  "tcp-client": ["M5 8h16v12H5zM9 24h8", "M24 14h12", "M33 10l4 4-4 4", "M40 6v16"],
  udp: ["M6 16h6", "M16 16h3M23 16h3M30 16h3", "M34 10l8 6-8 6", "M4 11v10"],
  forward: ["M18 8h12v16H18z", "M4 13h11M12 10l3 3-3 3", "M33 13h11M41 10l3 3-3 3", "M15 20H4M33 20h11"],
  handshake: ["M10 4v24M38 4v24", "M10 8l28 5", "M38 15l-28 5", "M10 22l28 5"],
  capture: ["M10 4h18l8 8v16H10z", "M28 4v8h8", "M15 18l4-4 5 7 4-5 4 3"],
});

/** @type {import("../main.js").Maker} */
export function homeView(store) {
  /** @type {(kind: string) => HTMLElement} */
  const kind = (name) => h("a", { class: "home-card", href: `#new=${name}` }, drawing(name), texts(name));
  const handshake = h("button", { class: "home-card wide", onclick: async () => {
    handshake.disabled = true;
    try {
      location.hash = `#recording=${await showHandshake(store)}`;
    } catch (reason) {
      complain(reason);
      handshake.disabled = false;
    }
  } }, drawing("handshake"), texts("handshake"));
  const lessons = store.about.lessons ?? [];
  const element = h(
    "div",
    { class: "view home" },
    h("section", { class: "home-head" }, h("h1", null, t("home.title")), h("p", { class: "soft" }, t("home.subtitle"))),
    h("section", null, h("h2", null, t("home.sockets")), h("div", { class: "home-cards" }, ["tcp-server", "tcp-client", "udp", "forward"].map(kind))),
    h("section", null, h("h2", null, t("home.why")), h("div", { class: "home-cards" }, handshake, h("a", { class: "home-card", href: "#open" }, drawing("capture"), texts("capture")))),
    lessons.length > 0 &&
      h(
        "section",
        null,
        h("h2", null, t("side.lessons")),
        h("div", { class: "chips" }, lessons.map((/** @type {any} */ { name, title }) => h("a", { class: "chip", href: `#lesson=${name}` }, told(`lesson.${name}`, {}, title ?? name)))),
      ),
    h(
      "section",
      null,
      h("h2", null, t("project")),
      h(
        "div",
        { class: "row" },
        h("button", { onclick: chooseProject }, t("project.load")),
        h("button", { onclick: () => saveProject(store) }, t("project.save")),
        h("button", { onclick: () => copyLink(store) }, t("project.link")),
      ),
      h("p", { class: "small soft" }, t("project.hint")),
    ),
  );
  return { element, title: "" };
}

/** @param {string} name */
function texts(name) {
  return h("span", { class: "home-card-text" }, h("b", null, t(`home.${name}`)), h("span", { class: "soft" }, t(`home.${name}.hint`)));
}

/** @param {string} name */
function drawing(name) {
  return s("svg", { class: "home-drawing", viewBox: "0 0 48 32", "aria-hidden": "true" }, ...DRAWINGS[name].map((d) => s("path", { d })));
}
