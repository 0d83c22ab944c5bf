// The log of a session: the lines that are visible, and what is done with all of them.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { List } from "../parts/list.js";
import { complain } from "../parts/toast.js";
import { LogDetail, copy, textOf } from "./log-detail.js";
import { logRow } from "./log-row.js";
import { forwardHead, forwardRow } from "./forward-row.js";
import { LogTools } from "./log-tools.js";
import { preferred } from "./preferences.js";

const LINE = 24;
/** How often a filtered log is counted anew, while entries come. */
const RECOUNT_MS = 250;

/** @typedef {{direction: string | null, peer: number | null, text: string | null}} Filter */

export class Log {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   * @param {AbortSignal} signal
   */
  constructor(store, session, signal) {
    this.store = store;
    this.session = session;
    this.signal = signal;
    /** @type {Filter | null} */
    this.filter = null;
    this.sought = "";
    this.isPaused = false;
    /** The range that is shown: of entries, or of those that pass the filter. */
    this.shown = { first: 0, count: 0, version: -1 };
    this.detail = new LogDetail(() => {
      this.list.unselect();
      this.list.element.focus();
    });
    this.holder = h("div", { class: "log-holder" });
    this.empty = h("div", { class: "log-empty soft" });
    this.newest = h("button", { class: "log-newest", hidden: true, onclick: () => this.list.scrollToEnd() }, t("log.newest"));
    this.list = this.makeList();
    this.tools = new LogTools(this);
    this.element = h("section", { class: "log", "aria-label": t("log") }, this.tools.element, this.holder, this.detail.element);
    signal.addEventListener("abort", () => this.list.close());
    this.update(session);
  }

  makeList() {
    const isForward = this.session.kind === "forward";
    const list = new List({
      label: t("log"),
      rowHeight: preferred().shows === "both" ? 2 * LINE - 6 : LINE,
      fetch: (from, count) => this.fetch(from, count),
      render: (entry) => (isForward ? forwardRow : logRow)(entry, { ...preferred(), sought: this.sought, hasPeers: this.hasPeers }),
      onSelect: (entry) => this.detail.show(entry, this.sought),
      onFollow: (isAtEnd) => (this.newest.hidden = isAtEnd),
    });
    list.element.addEventListener("keydown", (event) => this.onKey(event));
    fill(this.holder, isForward && forwardHead(this.session, preferred().time), list.element, this.empty, this.newest);
    return list;
  }

  /** After a change of how entries look. */
  remake() {
    const { selected, followsEnd, top } = this.list;
    this.list.close();
    this.list = this.makeList();
    this.list.selected = selected;
    this.list.setRange(this.shown.first, this.shown.count);
    if (!followsEnd) this.list.scrollTo(selected >= 0 ? selected : Math.floor(top));
  }

  get hasPeers() {
    return this.session.kind !== "tcp-client";
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    this.tools.update(session);
    const { log } = session;
    const isSame = log.version === this.shown.version;
    const end = log.first + log.count;
    if (this.isPaused) this.tools.showWaiting(end - this.pausedAt);
    if (this.filter) {
      if (!this.isPaused || !isSame) this.recount(isSame);
      return;
    }
    this.show(log.first, this.isPaused ? Math.max(0, Math.min(end, this.pausedAt) - log.first) : log.count, log.version);
  }

  /**
   * @param {number} first
   * @param {number} count
   * @param {number} version
   */
  show(first, count, version) {
    const isNew = version !== this.shown.version;
    this.shown = { first, count, version };
    this.list.setRange(first, count, isNew);
    this.empty.hidden = count > 0;
    if (count === 0) fill(this.empty, this.filter ? t("log.none") : t(`log.empty.${this.session.kind}`));
  }

  /** @param {boolean} isSame */
  recount(isSame) {
    if (this.counting) return;
    this.counting = setTimeout(async () => {
      this.counting = undefined;
      if (this.signal.aborted || !this.filter) return;
      try {
        const { first, count, version } = await this.store.ask("log.range", { session: this.session.session, from: 0, count: 1, filter: this.filter });
        if (this.filter) this.show(first, count, version);
      } catch (reason) {
        complain(reason);
      }
    }, isSame ? RECOUNT_MS : 0);
  }

  /**
   * @param {number} from
   * @param {number} count
   */
  async fetch(from, count) {
    // One more before them: for the time that has passed since.
    const before = from > this.shown.first ? 1 : 0;
    const { session, filter } = this;
    const answer = await this.store.ask("log.range", { session: session.session, from: from - before, count: count + before, filter });
    const { entries } = answer;
    for (let place = 1; place < entries.length; place += 1) entries[place].delta = entries[place].at - entries[place - 1].at;
    // The oldest ones may have gone since they were asked for: their places stay empty.
    const missing = answer.first - from;
    return missing > 0 ? Array(missing).concat(entries) : entries.slice(Math.min(before, from - answer.first));
  }

  /** @param {Partial<Filter>} changes */
  setFilter(changes) {
    const filter = { direction: null, peer: null, text: null, ...this.filter, ...changes };
    this.filter = filter.direction || filter.peer !== null || filter.text ? filter : null;
    this.shown.version = -1;
    this.list.selected = -1;
    this.update(this.session);
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.isPaused = isPaused;
    this.pausedAt = this.session.log.first + this.session.log.count;
    if (!isPaused) {
      this.update(this.session);
      this.list.scrollToEnd();
    }
  }

  pausedAt = 0;

  /**
   * @param {string} text
   * @param {{isHex: boolean, isBackward: boolean}} how
   */
  async find(text, { isHex, isBackward }) {
    const wasSought = this.sought;
    this.sought = isHex ? "" : text;
    if (this.sought !== wasSought) this.list.redraw();
    if (!text) return true;
    const { index } = await this.store.ask("log.find", {
      session: this.session.session,
      [isHex ? "hex" : "text"]: text,
      after: this.list.selected >= 0 ? this.list.selected : null,
      backward: isBackward,
      filter: this.filter,
    });
    if (index === null) return false;
    await this.list.select(index);
    return true;
  }

  /** @param {KeyboardEvent} event */
  async onKey(event) {
    if (event.key === "Escape" && !this.detail.element.hidden) this.detail.close();
    const isCopy = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "c";
    if (!isCopy || this.list.selected < 0 || getSelection()?.toString()) return;
    event.preventDefault();
    copy(textOf(await this.list.row(this.list.selected)));
  }

  async clear() {
    try {
      await this.store.ask("log.clear", { session: this.session.session });
      this.detail.element.hidden = true;
      this.list.selected = -1;
    } catch (reason) {
      complain(reason);
    }
  }
}
