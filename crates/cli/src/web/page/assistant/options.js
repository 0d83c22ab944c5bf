// The options of a session, each with what it does.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { field, tick } from "../parts/choice.js";
import { isTypedIn, keepFocus } from "../parts/focus.js";
import { complain } from "../parts/toast.js";
import { OutgoingForm } from "./outgoing.js";

const KEEPALIVE = { idle_s: 60, interval_s: 10, count: 5 };
const RECONNECT = { after_ms: 2000 };

export class Options {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    /** @type {string | undefined} */
    this.shown = undefined;
    this.element = h("div", { class: "column options", onfocusout: () => setTimeout(() => this.update(this.session), 0) });
    this.update(session);
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    const { options, reconnect, greeting, chunk } = session.settings;
    const key = JSON.stringify([options, reconnect, greeting, chunk]);
    // What somebody is filling in is not taken out of their hands.
    if (key === this.shown || isTypedIn(this.element)) return;
    this.shown = key;
    keepFocus(this.element, () => this.show());
  }

  /** @param {Record<string, any>} settings */
  async change(settings) {
    try {
      await this.store.ask("session.change", { session: this.session.session, settings });
    } catch (reason) {
      complain(reason);
      this.shown = "";
    }
  }

  show() {
    const { kind, settings } = this.session;
    const { options } = settings;
    const isTcp = kind !== "udp";
    /** @type {(name: string) => (value: any) => void} */
    const to = (name) => (value) => this.change({ options: { [name]: value } });
    /** What holds where nothing was said. @type {Record<string, boolean>} */
    const usual = { reuseaddr: kind === "tcp-server" || kind === "forward" };
    /** @type {(name: string) => HTMLElement} */
    const flag = (name) => option(tick(t(`option.${name}`), Boolean(options[name] ?? usual[name]), to(name)), t(`option.${name}.effect`));
    /** @type {(name: string, low: number, high: number, empty?: string) => HTMLElement} */
    const number = (name, low, high, empty = t("option.default")) =>
      option(named(t(`option.${name}`), numeric(options[name], low, high, empty, to(name))), t(`option.${name}.effect`));
    fill(
      this.element,
      isTcp && flag("nodelay"),
      isTcp && this.keepalive(),
      isTcp && flag("linger0"),
      flag("reuseaddr"),
      number("receive_buffer", 1, 1 << 30),
      number("send_buffer", 1, 1 << 30),
      number("ttl", 1, 255),
      (kind === "tcp-server" || kind === "forward") && number("backlog", 1, 65535),
      option(named(t("option.chunk"), numeric(settings.chunk, 1, 1 << 20, "1024", (chunk) => this.change({ chunk: chunk ?? 1024 }))), t("option.chunk.effect")),
      kind === "tcp-client" && this.reconnect(),
      isTcp && kind !== "forward" && this.greeting(),
    );
  }

  keepalive() {
    const { keepalive } = this.session.settings.options;
    /** @type {(name: "idle_s" | "interval_s" | "count", high: number) => HTMLElement} */
    const number = (name, high) =>
      field(t(`option.keepalive.${name}`), numeric(keepalive?.[name] ?? null, 1, high, String(KEEPALIVE[name]), (value) => {
        this.change({ options: { keepalive: { ...keepalive, [name]: value ?? KEEPALIVE[name] } } });
      }));
    const box = tick(t("option.keepalive"), keepalive !== null, (isOn) => {
      this.change({ options: { keepalive: isOn ? KEEPALIVE : null } });
    });
    return option(box, t("option.keepalive.effect"), keepalive && h("div", { class: "row three" }, number("idle_s", 32767), number("interval_s", 32767), number("count", 127)));
  }

  reconnect() {
    const { reconnect } = this.session.settings;
    const box = tick(t("option.reconnect"), reconnect !== null, (isOn) => {
      this.change({ reconnect: isOn ? RECONNECT : null });
    });
    const after = numeric(reconnect?.after_ms ?? null, 1, 3_600_000, "2000", (value) => this.change({ reconnect: { after_ms: value ?? RECONNECT.after_ms } }));
    return option(box, t("option.reconnect.effect"), reconnect && named(t("option.reconnect.after"), after));
  }

  greeting() {
    const { greeting } = this.session.settings;
    const box = tick(t("option.greeting"), greeting !== null, (isOn) => {
      this.change({ greeting: isOn ? { ...form.value, text: form.value.text || t("option.greeting.text") } : null });
    });
    /** @type {number | undefined} */
    let typing;
    const form = new OutgoingForm(this.store, greeting ?? {}, { label: t("option.greeting"), rows: 2, onChange: () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.change({ greeting: form.value }), 400);
    } });
    return option(box, t(`option.greeting.effect.${this.session.kind}`), greeting && h("div", { class: "column" }, form.text, form.switches));
  }
}

/**
 * @param {Node} control
 * @param {string} effect
 * @param {Node | null} [more]
 */
function option(control, effect, more) {
  return h("div", { class: "option" }, control, h("div", { class: "small soft" }, effect), more);
}

/**
 * @param {string} name
 * @param {HTMLElement} control
 */
function named(name, control) {
  return h("label", { class: "named" }, h("span", { class: "grow" }, name), control);
}

/**
 * A number, or nothing.
 * @param {number | null | undefined} value
 * @param {number} low
 * @param {number} high
 * @param {string} empty what stands there where there is none
 * @param {(value: number | null) => void} onChange
 */
export function numeric(value, low, high, empty, onChange) {
  const input = h("input", {
    type: "number", class: "short", min: String(low), max: String(high), placeholder: empty, value: value === null || value === undefined ? "" : String(value),
    onchange: () => {
      if (input.value === "") return onChange(null);
      const given = Math.max(low, Math.min(high, Math.round(Number(input.value)) || low));
      input.value = String(given);
      onChange(given);
    },
  });
  return input;
}
