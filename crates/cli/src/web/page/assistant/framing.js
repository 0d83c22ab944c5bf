// Where the view draws lines between messages: it changes nothing of what is sent or received.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { select } from "../parts/choice.js";
import { isTypedIn, keepFocus } from "../parts/focus.js";

const MODES = ["none", "line", "delimiter", "fixed", "length", "gap"];
/** What a mode begins with. */
const BEGINNINGS = /** @type {Record<string, Record<string, any>>} */ ({
  delimiter: { delimiter: "0d 0a" },
  fixed: { size: 16 },
  length: { width: 2, order: "big" },
  gap: { gap_ms: 50 },
});

export class Framing {
  /**
   * @param {any} value
   * @param {(value: any) => void} onChange
   */
  constructor(value, onChange) {
    this.onChange = onChange;
    /** @type {string | undefined} */
    this.key = undefined;
    this.element = h("span", { class: "row nowrap framing", title: t("framing.hint") });
    this.update(value ?? { mode: "none" });
  }

  /** @param {any} value */
  update(value) {
    const key = JSON.stringify(value);
    if (key === this.key || isTypedIn(this.element)) return;
    this.key = key;
    this.value = value ?? { mode: "none" };
    keepFocus(this.element, () => this.show());
  }

  /** @param {any} changes */
  change(changes) {
    this.value = { ...this.value, ...changes };
    this.onChange(this.value);
  }

  show() {
    const { value } = this;
    /** @type {(name: string, low: number, high: number, label: string) => HTMLElement} */
    const number = (name, low, high, label) =>
      h("input", {
        type: "number", min: low, max: high, value: String(value[name] ?? low), class: "short", "aria-label": label, title: label,
        onchange: (/** @type {any} */ event) => this.change({ [name]: Math.max(low, Math.min(high, Number(event.target.value) || low)) }),
      });
    /** @type {Record<string, HTMLElement[]>} */
    const more = {
      delimiter: [
        h("input", { class: "short mono", value: value.delimiter ?? "", "aria-label": t("framing.delimiter.hex"), title: t("framing.delimiter.hex"), onchange: (/** @type {any} */ event) => this.change({ delimiter: event.target.value }) }),
      ],
      fixed: [number("size", 1, 65536, t("framing.size"))],
      length: [
        select(t("framing.width"), [["1", "1 B"], ["2", "2 B"], ["4", "4 B"]], String(value.width ?? 2), (width) => this.change({ width: Number(width) })),
        select(t("outgoing.order"), [["big", t("order.big")], ["little", t("order.little")]], value.order ?? "big", (order) => this.change({ order })),
      ],
      gap: [number("gap_ms", 1, 60000, t("framing.gap.ms"))],
    };
    const modes = /** @type {[string, string][]} */ (MODES.map((name) => [name, t(`framing.${name}`)]));
    const mode = select(t("framing"), modes, value.mode, (/** @type {string} */ chosen) => {
      this.value = { mode: chosen, ...BEGINNINGS[chosen] };
      keepFocus(this.element, () => this.show());
      this.onChange(this.value);
    });
    fill(this.element, mode, more[value.mode] ?? []);
  }
}
