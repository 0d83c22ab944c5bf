// What one can set of a ladder: which rows, which colours, how near.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { round125, span } from "./span.js";

const HIDABLE = ["call", "state", "recovery", "note", "arp"];

/**
 * A button that opens a small sheet; clicking elsewhere closes it.
 * @param {string} title
 * @param {...HTMLElement} body
 */
function menu(title, ...body) {
  const element = h("details", { class: "view-menu" }, h("summary", null, title), h("div", { class: "card column" }, body));
  element.addEventListener("toggle", () => {
    if (!element.open) return;
    const close = (/** @type {Event} */ event) => {
      if (event instanceof KeyboardEvent ? event.key !== "Escape" : element.contains(/** @type {Node} */ (event.target))) return;
      element.open = false;
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
  });
  return element;
}

export class LadderBar {
  /** @param {import("./ladder.js").Ladder} ladder */
  constructor(ladder) {
    this.ladder = ladder;
    /** @type {Set<string>} */
    this.hidden = new Set();
    /** @type {string | null} the connections that can be chosen */
    this.known = null;
    this.told = "";
    this.connection = h("select", { "aria-label": t("ladder.connection"), onchange: () => this.filter() });
    this.scale = h("span", { class: "scale", title: t("ladder.scale") });
    const colours = h(
      "select",
      { "aria-label": t("ladder.colour"), onchange: () => { ladder.colourBy = /** @type {any} */ (colours.value); ladder.draw(); } },
      ["kind", "connection", "side"].map((by) => h("option", { value: by }, t(`ladder.colour.${by}`))),
    );
    const delta = h("input", { type: "checkbox", onchange: () => { ladder.times = delta.checked ? "delta" : "clock"; ladder.draw(); } });
    const save = (/** @type {"svg" | "png"} */ form) => h("button", { type: "button", title: t("ladder.save"), onclick: () => ladder.save(form) }, form.toUpperCase());
    this.element = h(
      "div",
      { class: "ladder-bar", role: "toolbar", "aria-label": t("ladder.settings") },
      this.connection,
      h("span", { class: "group", role: "group", "aria-label": t("ladder.show") }, HIDABLE.map((kind) => this.toggle(kind))),
      h("span", { class: "grow" }),
      this.scale,
      h(
        "span",
        { class: "group" },
        h("button", { class: "quiet icon", "aria-label": t("zoom.out"), title: t("zoom.out"), onclick: () => ladder.zoom(1 / 2) }, "−"),
        h("button", { class: "quiet icon", "aria-label": t("zoom.in"), title: t("zoom.in"), onclick: () => ladder.zoom(2) }, "+"),
        h("button", { class: "quiet", title: t("zoom.fit.long"), onclick: () => ladder.fit() }, t("zoom.fit")),
      ),
      menu(
        t("ladder.more"),
        h("label", { class: "field" }, h("span", { class: "name" }, t("ladder.colour")), colours),
        h("label", null, delta, t("ladder.delta")),
        h("div", { class: "field" }, h("span", { class: "name" }, t("ladder.save.short")), h("div", { class: "row" }, save("svg"), save("png"))),
      ),
    );
  }

  /** @param {string} kind */
  toggle(kind) {
    const button = h("button", { class: "quiet", "aria-pressed": "true", onclick: () => {
      if (!this.hidden.delete(kind)) this.hidden.add(kind);
      button.setAttribute("aria-pressed", String(!this.hidden.has(kind)));
      this.filter();
    } }, t(`ladder.show.${kind}`));
    return button;
  }

  filter() {
    this.ladder.setFilter({ connection: this.connection.value ? Number(this.connection.value) : null, hide: [...this.hidden] });
  }

  /** @param {any} entity */
  hear(entity) {
    const known = entity.connections.map((/** @type {any} */ one) => one.connection).join(" ");
    if (known === this.known) return;
    this.known = known;
    const chosen = this.connection.value;
    fill(
      this.connection,
      h("option", { value: "" }, t("ladder.all")),
      entity.connections.map((/** @type {any} */ one) => h("option", { value: String(one.connection) }, `#${one.connection}  ${one.ends[0].address} ⇄ ${one.ends[1].address}`)),
    );
    this.connection.value = chosen;
  }

  /** @param {number} scale pixels in a second */
  showScale(scale) {
    const seconds = round125(90 / scale);
    const text = span(seconds);
    if (text === this.told) return;
    this.told = text;
    fill(this.scale, h("span", { class: "ruler", style: { width: `${Math.round(seconds * scale)}px` } }), text);
  }
}
