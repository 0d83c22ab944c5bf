// The auto-reply: what the session answers by itself.

import { h, fill } from "../dom.js";
import { Trouble } from "../api.js";
import { t } from "../i18n.js";
import { field, select } from "../parts/choice.js";
import { isTypedIn, keepFocus } from "../parts/focus.js";
import { complain, troubleCard } from "../parts/toast.js";
import { numeric } from "./options.js";
import { OutgoingForm, nothing } from "./outgoing.js";

const MODES = ["off", "echo", "upper", "fixed", "rules"];
const MATCHES = ["text", "hex", "regex"];
const TYPING_MS = 400;

/** @typedef {{match: string, pattern: string, reply: import("./outgoing.js").Outgoing, delay_ms: number}} Rule */

export class Reply {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    /** @type {string | undefined} */
    this.shown = undefined;
    this.trouble = h("div");
    this.fields = h("div", { class: "column" });
    this.element = h("div", { class: "column" }, this.fields, this.trouble);
    this.update(session);
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    const key = JSON.stringify(session.settings.reply);
    if (key === this.shown || this.typing || isTypedIn(this.element)) return;
    this.shown = key;
    const told = drop(session.settings.reply);
    // Rules without a pattern are not told of yet: they are being written.
    if (this.value.rules?.some((/** @type {Rule} */ rule) => rule.pattern === "")) delete told.rules;
    // What other modes held stays: somebody may come back to it.
    this.value = { mode: "off", fixed: nothing(), rules: [], ...this.value, ...told };
    keepFocus(this.element, () => this.show());
  }

  /**
   * @param {Record<string, any>} changes
   * @param {boolean} [redraws]
   */
  change(changes, redraws = false) {
    this.value = { ...this.value, ...changes };
    if (redraws) keepFocus(this.element, () => this.show());
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.send(), redraws ? 0 : TYPING_MS);
  }

  async send() {
    this.typing = undefined;
    const { mode, fixed, rules } = this.value;
    /** @type {Record<string, any>} */
    const reply = { mode };
    if (mode === "fixed") reply.fixed = fixed;
    if (mode === "rules") reply.rules = rules.filter((/** @type {Rule} */ rule) => rule.pattern !== "");
    try {
      await this.store.ask("session.change", { session: this.session.session, settings: { reply } });
      fill(this.trouble);
    } catch (reason) {
      if (reason instanceof Trouble) fill(this.trouble, troubleCard(reason));
      else complain(reason);
    }
  }

  /** @type {any} */
  value = {};

  /** @type {number | undefined} */
  typing;

  show() {
    const { mode } = this.value;
    const modes = MODES.map((name) =>
      h(
        "label",
        { class: "radio-line" },
        h("input", { type: "radio", name: "reply-mode", checked: name === mode, onchange: () => this.change({ mode: name }, true) }),
        h("span", null, t(`reply.${name}`), h("span", { class: "small soft" }, ` ${t(`reply.${name}.effect`)}`)),
      ),
    );
    fill(
      this.fields,
      h("div", { class: "column", role: "radiogroup", "aria-label": t("reply") }, modes),
      mode === "fixed" && this.fixed(),
      mode === "rules" && this.rules(),
    );
  }

  fixed() {
    const form = new OutgoingForm(this.store, this.value.fixed, { label: t("reply.fixed"), rows: 3, onChange: () => this.change({ fixed: form.value }) });
    return h("div", { class: "column" }, form.text, form.switches);
  }

  rules() {
    /** @type {Rule[]} */
    const rules = this.value.rules;
    const rule = { match: "text", pattern: "", reply: nothing(), delay_ms: 0 };
    return h(
      "div",
      { class: "column" },
      rules.map((one, at) => this.rule(one, at)),
      h("div", { class: "row" }, h("button", { onclick: () => this.change({ rules: [...rules, rule] }, true) }, t("reply.rule.add"))),
      h("p", { class: "small soft" }, t("reply.rules.first")),
    );
  }

  /**
   * @param {Rule} rule
   * @param {number} at
   */
  rule(rule, at) {
    /** @type {(changes: Partial<Rule>) => void} */
    const to = (changes) => {
      Object.assign(rule, changes);
      this.change({});
    };
    const without = () => this.value.rules.filter((/** @type {Rule} */ _, /** @type {number} */ place) => place !== at);
    const matches = /** @type {[string, string][]} */ (MATCHES.map((name) => [name, t(`reply.match.${name}`)]));
    const form = new OutgoingForm(this.store, rule.reply, { label: t("reply.rule.reply"), rows: 2, onChange: () => to({ reply: form.value }) });
    const pattern = h("input", { class: "mono", value: rule.pattern, spellcheck: false, "aria-label": t("reply.rule.pattern"), placeholder: t("reply.rule.pattern"), oninput: () => to({ pattern: pattern.value }) });
    return h(
      "fieldset",
      { class: "column rule" },
      h("legend", null, t("reply.rule", { n: at + 1 })),
      h(
        "div",
        { class: "row nowrap" },
        select(t("reply.rule.match"), matches, rule.match, (match) => to({ match })),
        h("span", { class: "grow" }),
        h("button", { class: "quiet icon", "aria-label": t("reply.rule.remove", { n: at + 1 }), title: t("reply.rule.remove", { n: at + 1 }), onclick: () => this.change({ rules: without() }, true) }, "✕"),
      ),
      pattern,
      form.text,
      form.switches,
      field(t("reply.rule.delay"), numeric(rule.delay_ms, 0, 3_600_000, "0", (delay) => to({ delay_ms: delay ?? 0 }))),
    );
  }
}

/**
 * Without the members that are null.
 * @param {Record<string, any> | null} value
 */
function drop(value) {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, one]) => one !== null && one !== undefined));
}
