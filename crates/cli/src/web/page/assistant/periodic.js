// Sending again and again: how often, how many times, and the stop. What is sent may be changed while it goes on.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { complain } from "../parts/toast.js";
import { numeric } from "./options.js";

const TYPING_MS = 500;

export class Periodic {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   * @param {() => {to: any, outgoing: any}} what is sent
   */
  constructor(store, session, what) {
    this.store = store;
    this.session = session;
    this.what = what;
    this.every = 1000;
    /** @type {number | null} */
    this.count = null;
    this.button = h("button", { onclick: () => (this.isRunning ? this.stop() : this.start()) });
    this.done = h("span", { class: "small soft", role: "status" });
    this.element = h(
      "span",
      { class: "row nowrap periodic", role: "group", "aria-label": t("periodic") },
      h("label", { title: t("periodic.hint") }, t("periodic.every"), numeric(this.every, 1, 86_400_000, "1000", (every) => this.set({ every: every ?? 1000 })), "ms"),
      h("label", null, "×", numeric(null, 1, 1_000_000_000, "∞", (count) => this.set({ count })), h("span", { class: "unseen" }, t("periodic.count"))),
      this.button,
      this.done,
    );
    this.update(session);
  }

  get isRunning() {
    return Boolean(this.session.sending?.periodic);
  }

  /** @param {{every?: number, count?: number | null}} changes */
  set(changes) {
    Object.assign(this, changes);
    if (this.isRunning) this.start();
  }

  /** Something else is to be sent from now on. */
  onOutgoing() {
    if (!this.isRunning) return;
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.isRunning && this.start(), TYPING_MS);
  }

  start() {
    this.ask("session.periodic", { ...this.what(), every_ms: this.every, count: this.count });
  }

  stop() {
    this.ask("session.stop_periodic", {});
  }

  /**
   * @param {string} what
   * @param {Record<string, any>} parameters
   */
  async ask(what, parameters) {
    try {
      await this.store.ask(what, { session: this.session.session, ...parameters });
    } catch (reason) {
      complain(reason);
    }
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    const { periodic } = session.sending ?? {};
    this.button.textContent = t(periodic ? "periodic.stop" : "periodic.start");
    this.button.setAttribute("aria-pressed", String(Boolean(periodic)));
    fill(this.done, periodic && t("periodic.done", { done: periodic.done, count: periodic.count ?? "∞" }));
  }
}
