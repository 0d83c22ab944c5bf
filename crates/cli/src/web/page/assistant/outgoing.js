// What is to be sent: its text, and how that becomes bytes.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { choice, select, tick } from "../parts/choice.js";
import { keepFocus } from "../parts/focus.js";

/** @typedef {import("./preferences.js").Outgoing} Outgoing */

/** @returns {Outgoing} */
export function nothing() {
  return { form: "text", text: "", encoding: "UTF-8", escapes: false, ending: "none", checksum: "none", order: "big" };
}

const ENDINGS = ["none", "lf", "crlf", "cr"];

/** The fields of an outgoing: a text, and a row of switches above it. */
export class OutgoingForm {
  /**
   * @param {import("../store.js").Store} store
   * @param {Partial<Outgoing>} value
   * @param {{label: string, rows: number, onChange: () => void}} options
   */
  constructor(store, value, options) {
    this.store = store;
    this.onChange = options.onChange;
    this.text = h("textarea", {
      rows: options.rows,
      spellcheck: false,
      "aria-label": options.label,
      placeholder: options.label,
      oninput: () => {
        this.value = { ...this.value, text: this.text.value };
        this.changed();
      },
    });
    this.switches = h("div", { class: "row outgoing-switches" });
    /** @type {Outgoing} */
    this.value = { ...nothing(), ...value };
    this.show();
  }

  /** @param {Partial<Outgoing>} value */
  set(value) {
    this.value = { ...nothing(), ...value };
    this.show();
    this.changed();
  }

  changed() {
    this.text.removeAttribute("aria-invalid");
    this.onChange();
  }

  show() {
    const { value, store } = this;
    if (this.text.value !== value.text) this.text.value = value.text;
    /** @type {(name: keyof Outgoing) => (to: any) => void} */
    const to = (name) => (setting) => {
      this.value = { ...this.value, [name]: setting };
      if (name === "form" || name === "checksum") keepFocus(this.switches, () => this.show());
      this.changed();
    };
    const isText = value.form === "text";
    this.text.classList.toggle("is-hex", !isText);
    this.text.setAttribute("placeholder", isText ? (this.text.getAttribute("aria-label") ?? "") : t("outgoing.hex.hint"));
    /** @type {(names: string[], key: string) => [string, string][]} */
    const named = (names, key) => names.map((name) => [name, t(`${key}.${name}`)]);
    const encodings = /** @type {[string, string][]} */ ((store.about.encodings ?? ["UTF-8"]).map((/** @type {string} */ name) => [name, name]));
    fill(
      this.switches,
      choice(t("outgoing.form"), [["text", t("outgoing.text")], ["hex", t("outgoing.hex")]], value.form, to("form")),
      isText && tick(t("outgoing.escapes"), value.escapes, to("escapes"), t("outgoing.escapes.hint")),
      isText && select(t("outgoing.encoding"), encodings, value.encoding, to("encoding")),
      select(t("outgoing.ending"), named(ENDINGS, "ending"), value.ending, to("ending")),
      select(t("outgoing.checksum"), named(store.about.checksums ?? ["none"], "checksum"), value.checksum, to("checksum")),
      hasOrder(value.checksum) && select(t("outgoing.order"), named(["big", "little"], "order"), value.order, to("order")),
    );
  }
}

/** @param {string} checksum of more than one byte */
function hasOrder(checksum) {
  return checksum.startsWith("crc");
}

/**
 * In one line.
 * @param {Outgoing} outgoing
 */
export function summary(outgoing) {
  const text = outgoing.form === "hex" ? outgoing.text : JSON.stringify(outgoing.text).slice(1, -1);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
