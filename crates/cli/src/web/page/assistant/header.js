// The head of a session: its state, its addresses, its counters, and what is done with it as a whole.

import { h, fill } from "../dom.js";
import { size, t } from "../i18n.js";
import { menu } from "../parts/menu.js";
import { complain, troubleCard } from "../parts/toast.js";
import { copyLink, saveProject } from "./project.js";
import { moment } from "./log-row.js";
import { closeTab } from "./tabs.js";

/** The colour of a state. */
export const STATES = /** @type {Record<string, string>} */ ({
  listening: "good", connected: "good", open: "good", opening: "busy", connecting: "busy", waiting: "busy", failed: "bad",
});

const ENDED = ["closed", "failed"];

export class Header {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    /** @type {string | undefined} */
    this.errorShown = undefined;
    this.state = h("span", { class: "badge", role: "status" });
    this.addresses = h("span", { class: "mono addresses" });
    this.counters = h("dl", { class: "counters" });
    this.trouble = h("div", { class: "session-trouble" });
    this.close = h("button", { onclick: () => this.ask("session.close") }, t("session.close"));
    this.reopen = h("button", { class: "primary", onclick: () => this.ask("session.reopen") }, t("session.reopen"));
    this.forget = h("button", { class: "quiet", onclick: () => this.leave() }, t("session.forget"));
    this.element = h(
      "header",
      { class: "session-head" },
      h(
        "div",
        { class: "row" },
        h("span", { class: "badge kind" }, t(`kind.${session.kind}`)),
        this.addresses,
        this.state,
        h("span", { class: "grow" }),
        this.seeing(),
        this.close,
        this.reopen,
        this.forget,
        menu("⋯", () => this.more(), { title: t("session.more") }),
      ),
      this.counters,
      this.trouble,
    );
    this.update(session);
  }

  /** @param {string} what */
  async ask(what) {
    try {
      await this.store.ask(what, { session: this.session.session });
    } catch (reason) {
      complain(reason);
    }
  }

  async leave() {
    await this.ask("session.forget");
    location.hash = `#${closeTab(this.session.session)}`;
  }

  /** Where it is, and the way to what can be seen of it. */
  seeing() {
    const { place } = this.session;
    if (place.on !== "lan") return h("span", { class: "soft small" }, t("place.machine"));
    const lan = this.store.get("lans", place.lan);
    return [
      h("span", { class: "soft small" }, t("place.host", { host: place.host, lan: lan?.title ?? place.lan })),
      lan && h("a", { class: "button", href: `#recording=${lan.recording}`, title: t("session.see.hint") }, t("session.see")),
    ];
  }

  more() {
    return [
      h("button", { class: "quiet", onclick: () => this.ask("session.reset_counters") }, t("session.reset")),
      h("button", { class: "quiet", onclick: () => copyLink(this.store, this.session.session) }, t("project.link.session")),
      h("button", { class: "quiet", onclick: () => saveProject(this.store) }, t("project.save")),
    ];
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    const hasEnded = ENDED.includes(session.state);
    this.state.className = `badge ${STATES[session.state] ?? ""}`;
    const state = t(`state.${session.state}`);
    if (this.state.textContent !== state) this.state.textContent = state;
    this.close.hidden = hasEnded;
    this.reopen.hidden = !hasEnded;
    this.forget.hidden = !hasEnded;
    const arrow = session.kind === "forward" ? " → " : " ⇄ ";
    this.addresses.textContent = [session.local, session.remote ?? (session.kind === "udp" ? null : session.to)].filter(Boolean).join(arrow);
    const key = JSON.stringify(session.error);
    if (key !== this.errorShown) {
      this.errorShown = key;
      fill(this.trouble, session.error && troubleCard(session.error));
    }
    this.showCounters(session.counters);
  }

  /** @param {any} counters */
  showCounters(counters) {
    /** @type {(name: string, value: string, kind?: string) => HTMLElement} */
    const one = (name, value, kind = "") => h("div", { class: kind }, h("dt", null, name), h("dd", null, value));
    /** @type {(bytes: number, calls: number, rate: number) => string} */
    const flow = (bytes, calls, rate) => t("counters.flow", { bytes: size(bytes), calls, rate: size(Math.round(rate)) });
    fill(
      this.counters,
      one(t("log.received"), flow(counters.received_bytes, counters.received_calls, counters.received_rate), "received"),
      one(t("log.sent"), flow(counters.sent_bytes, counters.sent_calls, counters.sent_rate), "sent"),
      one(t("counters.since"), moment({ at: counters.since }, "clock").slice(0, 8)),
    );
  }
}
