// The send box: what is to be sent, what its bytes would be, to whom, and how often.

import { h, fill } from "../dom.js";
import { Trouble } from "../api.js";
import { t, told } from "../i18n.js";
import { menu } from "../parts/menu.js";
import { complain } from "../parts/toast.js";
import { fromBase64, hex } from "./bytes.js";
import { nameCommand } from "./commands.js";
import { FileSending } from "./file.js";
import { OutgoingForm, nothing, summary } from "./outgoing.js";
import { Periodic } from "./periodic.js";
import { prefer, preferred } from "./preferences.js";

/** @typedef {import("./outgoing.js").Outgoing} Outgoing */

const PREVIEW_MS = 120;
const PREVIEWED = 64;
/** Longer texts are not sent for a preview at every key. */
const LONGEST_PREVIEWED = 65_536;
const HISTORY = 100;
/** Longer texts are not kept in the history: the browser's storage is small. */
const LONGEST_KEPT = 4096;

/** What stands in the boxes of the sessions, while other views are shown. @type {Map<string, Outgoing>} */
const drafts = new Map();

/** @param {string} session */
export function forgetDraft(session) {
  drafts.delete(session);
}

export class SendBox {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   * @param {import("./targets.js").Targets} targets
   */
  constructor(store, session, targets) {
    this.store = store;
    this.session = session;
    this.targets = targets;
    /** How far back in the history, from its end. */
    this.back = 0;
    const value = drafts.get(session.session) ?? { ...nothing(), encoding: session.settings.encoding };
    this.preview = h("output", { class: "preview mono", "aria-label": t("send.preview") });
    this.button = h("button", { class: "primary send", onclick: () => this.send() });
    this.form = new OutgoingForm(store, value, { label: t("send.text"), rows: 3, onChange: () => this.onChange() });
    this.form.text.addEventListener("keydown", (event) => this.onKey(event));
    this.periodic = new Periodic(store, session, () => ({ to: targets.to, outgoing: this.form.value }));
    this.file = new FileSending(store, session, () => targets.to);
    this.element = h(
      "section",
      { class: "send-box", "aria-label": t("send") },
      h(
        "div",
        { class: "row" },
        this.form.switches,
        h("span", { class: "grow" }),
        menu(t("send.history"), () => this.history(), { title: t("send.history.hint") }),
        h("button", { class: "quiet", title: t("commands.save.hint"), onclick: () => nameCommand(this.form.value) }, t("commands.save")),
      ),
      h("div", { class: "row nowrap send-line" }, this.form.text, h("div", { class: "column send-side" }, this.button, this.keys())),
      h("div", { class: "row send-foot" }, this.preview, h("span", { class: "grow" }), h("span", { class: "row nowrap send-more" }, this.file.element, this.periodic.element)),
    );
    targets.addEventListener("change", () => this.showButton());
    this.showButton();
    this.onChange();
  }

  /** Which key sends. */
  keys() {
    const button = h("button", { class: "quiet small-button", title: t("send.keys.hint"), onclick: () => {
      prefer({ sendsBy: preferred().sendsBy === "ctrl" ? "enter" : "ctrl" });
      show();
    } });
    const show = () => (button.textContent = t(`send.keys.${preferred().sendsBy}`));
    show();
    return button;
  }

  showButton() {
    const { ticked } = this.targets;
    this.button.textContent = ticked.size > 0 ? t("send.to", { n: ticked.size }) : t(this.targets.hasPeers ? "send.all" : "send");
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    this.periodic.update(session);
    this.file.update(session);
  }

  onChange() {
    drafts.set(this.session.session, this.form.value);
    this.periodic?.onOutgoing();
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.showPreview(), PREVIEW_MS);
  }

  async showPreview() {
    const { value } = this.form;
    if ((value.text === "" && value.ending === "none") || value.text.length > LONGEST_PREVIEWED) {
      fill(this.preview);
      return;
    }
    try {
      const answer = await this.store.ask("session.preview", { outgoing: value });
      if (value !== this.form.value) return;
      const bytes = fromBase64(answer.bytes);
      const shown = bytes.subarray(0, PREVIEWED);
      fill(this.preview, h("b", null, t("log.bytes", { n: bytes.length })), " ", hex(shown), bytes.length > shown.length && " …");
    } catch (reason) {
      if (reason instanceof Trouble) this.refuse(reason);
    }
  }

  /** @param {Trouble} trouble */
  refuse(trouble) {
    this.form.text.setAttribute("aria-invalid", "true");
    const next = told(`trouble.${trouble.code}.next`, trouble.facts, trouble.next);
    fill(this.preview, h("span", { class: "wrong", title: next, role: "alert" }, told(`trouble.${trouble.code}`, trouble.facts, trouble.words), next && ` – ${next}`));
  }

  /**
   * Says what is wrong, and selects the character.
   * @param {Trouble} trouble
   */
  show(trouble) {
    this.refuse(trouble);
    const { text } = this.form;
    const before = Array.from(text.value).slice(0, trouble.facts.position - 1).join("").length;
    text.focus();
    text.setSelectionRange(before, before + 1);
  }

  /** @param {Outgoing} [outgoing] another than the box holds */
  async send(outgoing) {
    const value = outgoing ?? this.form.value;
    try {
      await this.store.ask("session.send", { session: this.session.session, to: this.targets.to, outgoing: value });
    } catch (reason) {
      if (reason instanceof Trouble && reason.facts.position && !outgoing) this.show(reason);
      else complain(reason);
      return;
    }
    if (!outgoing) this.remember(value);
  }

  /** @param {Outgoing} value */
  remember(value) {
    this.back = 0;
    if (value.text === "" || value.text.length > LONGEST_KEPT) return;
    const before = preferred().history.filter((one) => one.text !== value.text || one.form !== value.form);
    prefer({ history: [...before, value].slice(-HISTORY) });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "Enter" && !event.isComposing) {
      const isCtrl = event.ctrlKey || event.metaKey;
      if (isCtrl || (preferred().sendsBy === "enter" && !event.shiftKey)) {
        event.preventDefault();
        this.send();
      }
      return;
    }
    const { text } = this.form;
    const isPlain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    const isAtEdge = event.key === "ArrowUp" ? !text.value.slice(0, text.selectionStart).includes("\n") : !text.value.slice(text.selectionEnd).includes("\n");
    if (!isPlain || !isAtEdge || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    const { history } = preferred();
    const back = Math.max(0, Math.min(history.length, this.back + (event.key === "ArrowUp" ? 1 : -1)));
    if (back === this.back) return;
    event.preventDefault();
    if (this.back === 0) this.kept = this.form.value;
    this.back = back;
    this.form.set(back === 0 ? (this.kept ?? nothing()) : history[history.length - back]);
  }

  history() {
    const { history } = preferred();
    if (history.length === 0) return [h("span", { class: "soft small menu-note" }, t("send.history.none"))];
    const entries = history.slice(-20).reverse();
    return [
      ...entries.map((one) => h("button", { class: "quiet mono", onclick: () => this.take(one) }, summary(one))),
      h("button", { class: "quiet menu-last", onclick: () => prefer({ history: [] }) }, t("send.history.clear")),
    ];
  }

  /** @param {Outgoing} outgoing */
  take(outgoing) {
    this.form.set(outgoing);
    this.form.text.focus();
  }
}
