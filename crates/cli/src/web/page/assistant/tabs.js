// The sessions that have tabs: those that were looked at, in that order, until their tab is closed.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { nameOf } from "./name.js";
import { prefer, preferred } from "./preferences.js";

/** @param {string} session */
export function openTab(session) {
  const { tabs } = preferred();
  if (!tabs.includes(session)) prefer({ tabs: [...tabs, session] });
}

/**
 * Closes a tab, and says where to look instead.
 * @param {string} session
 */
export function closeTab(session) {
  const { tabs } = preferred();
  const at = tabs.indexOf(session);
  const left = tabs.filter((tab) => tab !== session);
  prefer({ tabs: left });
  const next = left[Math.min(at, left.length - 1)];
  return next ? `session=${next}` : "home";
}

/** Whether somebody walks along the tabs with the keys: the next view gives the focus back. */
let isWalking = false;

export class Tabs {
  /**
   * @param {import("../store.js").Store} store
   * @param {string} current
   * @param {Record<string, string>} colours of the states
   */
  constructor(store, current, colours) {
    this.store = store;
    this.current = current;
    this.colours = colours;
    /** @type {string | undefined} */
    this.shown = undefined;
    this.element = h("div", { class: "tabs session-tabs", role: "tablist", "aria-label": t("side.sessions"), onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event) });
    openTab(current);
    // Tabs of sessions that were removed elsewhere, or of an earlier assistant, go.
    prefer({ tabs: preferred().tabs.filter((tab) => store.get("sessions", tab)) });
    this.update();
    if (!isWalking) return;
    isWalking = false;
    requestAnimationFrame(() => this.selected?.focus());
  }

  get sessions() {
    const { tabs } = preferred();
    return tabs.map((tab) => this.store.get("sessions", tab)).filter(Boolean);
  }

  /** @returns {HTMLElement | null} */
  get selected() {
    return this.element.querySelector('[aria-selected="true"]');
  }

  update() {
    const { sessions } = this;
    const named = sessions.map((one) => ({ session: one.session, title: nameOf(one), state: one.state }));
    const key = JSON.stringify(named);
    if (key === this.shown) return;
    this.shown = key;
    fill(
      this.element,
      named.map(({ session, title, state }) => {
        const isCurrent = session === this.current;
        return h(
          "span",
          { class: "session-tab", role: "presentation" },
          h(
            "button",
            { role: "tab", "aria-selected": String(isCurrent), tabIndex: isCurrent ? 0 : -1, data: { session }, onclick: () => (location.hash = `#session=${session}`) },
            h("span", { class: `dot ${this.colours[state] ?? ""}` }),
            h("span", { class: "name" }, title),
          ),
          h("button", { class: "quiet icon tab-close", "aria-label": t("tabs.close", { title }), title: t("tabs.close.hint"), tabIndex: -1, onclick: () => this.close(session) }, "✕"),
        );
      }),
      h("a", { class: "tab-new", href: "#new", "aria-label": t("new.title"), title: t("new.title") }, "+"),
    );
    requestAnimationFrame(() => this.selected?.scrollIntoView({ block: "nearest", inline: "nearest" }));
  }

  /** @param {string} session */
  close(session) {
    const next = closeTab(session);
    if (session === this.current) location.hash = `#${next}`;
    else this.update();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const { sessions } = this;
    if (event.key === "Delete") this.close(this.current);
    if (step === undefined || sessions.length === 0) return;
    event.preventDefault();
    const at = sessions.findIndex(({ session }) => session === this.current);
    isWalking = true;
    location.hash = `#session=${sessions[(at + step + sessions.length) % sessions.length].session}`;
  }
}
