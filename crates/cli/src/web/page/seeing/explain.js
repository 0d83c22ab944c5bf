// What the assistant has found in a recording, in words; each finding leads to its row.

import { h, fill } from "../dom.js";
import { t, told } from "../i18n.js";
import { clock, span } from "./span.js";

const MOST = 200;
const SIGNS = /** @type {Record<string, string>} */ ({ note: "i", warning: "!", error: "✗" });

export class Explain {
  /**
   * @param {import("../store.js").Store} store
   * @param {string} recording
   * @param {import("./moment.js").Moment} moment
   * @param {AbortSignal} signal
   */
  constructor(store, recording, moment, signal) {
    this.store = store;
    this.recording = recording;
    this.moment = moment;
    this.known = -1;
    /** @type {{finding: any, element: HTMLElement}[]} */
    this.shown = [];
    this.element = h("div", { class: "explain" });
    store.follow("recordings", recording, (entity) => entity && this.hear(entity), signal);
    moment.on("time", () => this.follow(), signal);
  }

  /** @param {any} entity */
  async hear(entity) {
    if (entity.findings === this.known || this.isAsking) return;
    this.isAsking = true;
    this.known = entity.findings;
    try {
      const from = Math.max(0, this.known - MOST);
      const { findings } = await this.store.ask("recording.findings", { recording: this.recording, from, count: MOST });
      this.draw(findings, from);
    } catch {
      this.known = -1;
    } finally {
      this.isAsking = false;
    }
    const now = this.store.get("recordings", this.recording);
    if (now && this.known >= 0 && now.findings !== this.known) setTimeout(() => this.hear(now), 300);
  }

  /**
   * @param {any[]} findings
   * @param {number} left how many older ones are not shown
   */
  draw(findings, left) {
    this.shown = findings.map((finding) => ({ finding, element: this.card(finding) }));
    fill(
      this.element,
      findings.length === 0 && h("p", { class: "soft nothing" }, t("explain.none")),
      left > 0 && h("p", { class: "soft small nothing" }, t("explain.older", { count: left })),
      h("ol", { class: "findings" }, this.shown.map(({ element }) => element)),
    );
    this.moment.find(new Map(findings.filter(({ row }) => row !== null && row !== undefined).map(({ row, severity }) => [row, severity])));
    this.follow();
  }

  /** @param {any} finding */
  card(finding) {
    const facts = spoken(finding.facts ?? {});
    const until = finding.until > finding.time ? ` – ${clock(finding.until)} (${span(finding.until - finding.time)})` : "";
    const next = told(`finding.${finding.kind}.next`, facts, finding.next ?? "");
    const words = told(`finding.${finding.kind}`, facts, finding.words);
    return h(
      "li",
      { class: `finding ${finding.severity}` },
      h(
        "button",
        { class: "quiet", onclick: () => finding.row !== null && finding.row !== undefined && this.moment.jump(finding.row) },
        h("span", { class: "sign", title: t(`severity.${finding.severity}`), "aria-label": t(`severity.${finding.severity}`) }, SIGNS[finding.severity] ?? "i"),
        h(
          "span",
          { class: "column" },
          // A text whose facts are not all there says less than the words that came.
          h("span", { class: "words" }, /\{\w+\}/.test(words) ? finding.words : words),
          next && h("span", { class: "next" }, next),
          h("span", { class: "mono small faint" }, clock(finding.time), until, finding.connection ? ` · #${finding.connection}` : ""),
        ),
      ),
    );
  }

  /** What lies behind the moment that is shown is not known yet. */
  follow() {
    const { time } = this.moment;
    for (const { finding, element } of this.shown) element.classList.toggle("is-later", time !== null && finding.time > time);
  }
}

/**
 * Facts as they are read: spans of seconds with their unit.
 * @param {Record<string, any>} facts
 */
function spoken(facts) {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, typeof value === "number" && /(_s|seconds)$/.test(name) ? span(value) : value]));
}
