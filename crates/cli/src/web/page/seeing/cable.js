// The cables of a LAN: what they do to frames, each way, while it runs.

import { h, fill } from "../dom.js";
import { t, told } from "../i18n.js";
import { complain, say } from "../parts/toast.js";

/** @type {[string, string, number][]} each condition, its unit, and the step of its field */
const CONDITIONS = [
  ["loss", "%", 0.1], ["loss_burst", "", 1], ["delay_ms", "ms", 1], ["jitter_ms", "ms", 1], ["rate_kbit", "kbit/s", 1], ["queue_frames", "", 1],
  ["reorder", "%", 0.1], ["duplicate", "%", 0.1], ["corrupt", "%", 0.1], ["mtu", "", 1],
];
/** Without a value: no limit. The others are 0 then. */
const OPEN = new Set(["rate_kbit", "queue_frames", "loss_burst", "mtu"]);
const CUT_MS = 3000;
/** What is typed takes effect after so long a pause. */
const PAUSE_MS = 350;

export class CablePanel {
  /**
   * @param {import("../store.js").Store} store
   * @param {string} lan
   * @param {AbortSignal} signal
   */
  constructor(store, lan, signal) {
    this.store = store;
    this.lan = lan;
    this.host = "";
    this.known = "";
    this.hosts = h("div", { class: "segments", role: "group", "aria-label": t("cable.host") });
    this.profiles = h("div", { class: "row profiles" });
    this.grid = h("div", { class: "conditions" });
    this.seed = h("span", { class: "soft small" });
    /** @type {Map<string, HTMLInputElement>} */
    this.fields = new Map();
    this.element = h(
      "div",
      { class: "cable" },
      h("p", { class: "soft small" }, t("cable.about"), " ", this.seed),
      this.hosts,
      h("h3", null, t("cable.profiles")),
      this.profiles,
      this.grid,
      h("h3", null, t("cable.now")),
      ["up", "down"].map((direction) => this.actions(direction)),
    );
    store.follow("lans", lan, (entity) => entity && this.hear(entity), signal);
  }

  /** @param {any} entity */
  hear(entity) {
    this.entity = entity;
    if (!entity.cables[this.host]) this.host = entity.hosts[0]?.host ?? Object.keys(entity.cables)[0] ?? "";
    fill(this.seed, t("cable.seed", { seed: entity.seed }));
    const known = JSON.stringify([entity.hosts.map((/** @type {any} */ one) => one.host), this.host]);
    if (known !== this.known) {
      this.known = known;
      this.build(entity);
    }
    this.show();
  }

  /** @param {any} entity */
  build(entity) {
    fill(this.hosts, entity.hosts.map((/** @type {any} */ one) => h("button", { "aria-pressed": String(one.host === this.host), title: (one.addresses ?? []).join(" "), onclick: () => { this.host = one.host; this.hear(this.entity); } }, one.host)));
    fill(this.profiles, (this.store.about.profiles ?? []).map((/** @type {any} */ profile) => h("button", { class: "small-button", title: described(profile.conditions), onclick: () => this.change("both", { ...untouched(), ...profile.conditions }) }, told(`profile.${profile.name}`, {}, profile.title ?? profile.name))));
    this.fields.clear();
    fill(
      this.grid,
      h("span"),
      h("span", { class: "small soft" }, `${this.host} → ⇄`),
      h("span", { class: "small soft" }, `⇄ → ${this.host}`),
      CONDITIONS.map(([name, unit, step]) => [
        h("span", { class: "name", title: t(`condition.${name}.about`) }, t(`condition.${name}`), unit && h("span", { class: "faint small" }, ` ${unit}`)),
        ...["up", "down"].map((direction) => this.field(direction, name, step)),
      ]).flat(),
    );
  }

  /**
   * @param {string} direction
   * @param {string} name
   * @param {number} step
   */
  field(direction, name, step) {
    const field = h("input", { type: "number", min: "0", step: String(step), max: ["loss", "reorder", "duplicate", "corrupt"].includes(name) ? "100" : null, placeholder: OPEN.has(name) ? "∞" : "0", "aria-label": `${t(`condition.${name}`)}, ${t(`cable.${direction}`, { host: this.host })}` });
    field.addEventListener("input", () => {
      clearTimeout(this.pause);
      this.pause = setTimeout(() => {
        if (!field.checkValidity()) return;
        const value = field.value === "" ? (OPEN.has(name) ? null : 0) : Number(field.value);
        this.change(direction, { [name]: value });
      }, PAUSE_MS);
    });
    this.fields.set(`${direction} ${name}`, field);
    return field;
  }

  show() {
    const cable = this.entity.cables[this.host] ?? {};
    for (const [key, field] of this.fields) {
      const [direction, name] = key.split(" ");
      const value = cable[direction]?.[name];
      if (document.activeElement === field) continue;
      field.value = value === null || value === undefined || (value === 0 && !OPEN.has(name)) ? "" : String(Number(value.toFixed?.(3) ?? value));
      field.classList.toggle("is-set", field.value !== "");
    }
  }

  /**
   * @param {string} direction
   * @param {Record<string, number | null>} conditions
   */
  async change(direction, conditions) {
    try {
      await this.store.ask("lan.cable", { lan: this.lan, host: this.host, direction, conditions });
    } catch (reason) {
      complain(reason);
      this.show();
    }
  }

  /** @param {string} direction */
  actions(direction) {
    /** @type {(what: string, parameters: Record<string, any>, done: string) => Promise<void>} */
    const act = async (what, parameters, done) => {
      try {
        await this.store.ask(what, { lan: this.lan, host: this.host, direction, ...parameters });
        say(t(done, { host: this.host }));
      } catch (reason) {
        complain(reason);
      }
    };
    return h(
      "div",
      { class: "row cable-actions", role: "group", "aria-label": t(`cable.${direction}.short`) },
      h("span", { class: "small soft way" }, t(`cable.${direction}.short`)),
      h("button", { onclick: () => act("lan.drop_next", { frames: 1 }, "cable.drop.done") }, t("cable.drop")),
      h("button", { onclick: () => act("lan.hold", { ms: 1000 }, "cable.hold.done") }, t("cable.hold")),
      h("button", { class: "danger", onclick: () => act("lan.cut", { ms: CUT_MS }, "cable.cut.done") }, t("cable.cut")),
    );
  }
}

/** A cable that does nothing to frames. @returns {Record<string, number | null>} */
export function untouched() {
  return Object.fromEntries(CONDITIONS.map(([name]) => [name, OPEN.has(name) ? null : 0]));
}

/**
 * Conditions in a few words.
 * @param {Record<string, any>} conditions
 */
export function described(conditions) {
  const parts = CONDITIONS.filter(([name]) => conditions[name]).map(([name, unit]) => `${t(`condition.${name}`)} ${conditions[name]}${unit && ` ${unit}`}`);
  return parts.join(", ") || t("cable.perfect");
}
