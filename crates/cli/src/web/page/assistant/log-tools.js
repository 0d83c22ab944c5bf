// The tools above a log: how it looks, what of it is shown, and what is done with it.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { choice, select } from "../parts/choice.js";
import { menu } from "../parts/menu.js";
import { complain } from "../parts/toast.js";
import { Framing } from "./framing.js";
import { prefer, preferred } from "./preferences.js";

/** Waited for after a key, before what is typed is sought. */
const TYPING_MS = 200;

export class LogTools {
  /** @param {import("./log.js").Log} log */
  constructor(log) {
    this.log = log;
    const { store, session } = log;
    const { shows, time } = preferred();
    const encodings = /** @type {[string, string][]} */ ((store.about.encodings ?? ["UTF-8"]).map((/** @type {string} */ name) => [name, name]));
    this.encoding = select(t("log.encoding"), encodings, session.settings.encoding, (encoding) => this.change({ encoding }));
    this.framing = new Framing(session.settings.framing, (framing) => this.change({ framing }));
    this.pauseButton = h("button", { class: "quiet", "aria-pressed": "false", title: t("log.pause.hint"), onclick: () => this.pause() }, t("log.pause"));
    this.filterButton = h("button", { class: "quiet", "aria-pressed": "false", "aria-expanded": "false", onclick: () => this.toggleFilter() }, t("log.filter"));
    this.peers = h("select", { "aria-label": t("log.filter.peer"), onchange: () => log.setFilter({ peer: this.peers.value ? Number(this.peers.value) : null }) });
    this.filters = this.makeFilters();
    this.element = h(
      "div",
      { class: "log-tools" },
      h(
        "div",
        { class: "row" },
        choice(t("log.shows"), [["text", t("log.text")], ["hex", t("log.hex")], ["both", t("log.both")]], shows, (value) => {
          prefer({ shows: value });
          log.remake();
        }),
        select(t("log.time"), [["clock", t("log.time.clock")], ["delta", t("log.time.delta")], ["date", t("log.time.date")]], time, (value) => {
          prefer({ time: /** @type {any} */ (value) });
          log.remake();
        }),
        this.encoding,
        this.framing.element,
        this.makeSearch(),
        this.filterButton,
        this.pauseButton,
        menu(t("log.save"), () => this.files(), { title: t("log.save.hint") }),
        h("button", { class: "quiet", onclick: () => log.clear() }, t("log.clear")),
      ),
      this.filters,
    );
  }

  /** @param {Record<string, any>} settings */
  change(settings) {
    const { store, session } = this.log;
    store.ask("session.change", { session: session.session, settings }).catch(complain);
  }

  /** Goes to the search. */
  search() {
    const input = /** @type {HTMLInputElement | null} */ (this.element.querySelector(".log-search"));
    input?.focus();
    input?.select();
  }

  makeSearch() {
    const status = h("span", { class: "unseen", role: "status" });
    let isHex = false;
    /** @param {boolean} isBackward */
    const find = async (isBackward) => {
      try {
        const isFound = await this.log.find(input.value, { isHex, isBackward });
        input.setAttribute("aria-invalid", String(!isFound));
        status.textContent = isFound ? "" : t("log.search.none");
        input.title = status.textContent;
      } catch (reason) {
        input.setAttribute("aria-invalid", "true");
        complain(reason);
      }
    };
    const input = h("input", {
      type: "search",
      class: "log-search",
      placeholder: t("log.search"),
      "aria-label": t("log.search"),
      oninput: () => input.value === "" && find(false),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter") find(event.shiftKey);
      },
    });
    const hexButton = h("button", { class: "quiet icon", "aria-pressed": "false", "aria-label": t("log.search.hex"), title: t("log.search.hex"), onclick: () => {
      isHex = !isHex;
      hexButton.setAttribute("aria-pressed", String(isHex));
    } }, "0x");
    return h(
      "span",
      { class: "row nowrap search" },
      input,
      hexButton,
      h("button", { class: "quiet icon", "aria-label": t("log.search.previous"), title: t("log.search.previous"), onclick: () => find(true) }, "↑"),
      h("button", { class: "quiet icon", "aria-label": t("log.search.next"), title: t("log.search.next"), onclick: () => find(false) }, "↓"),
      status,
    );
  }

  makeFilters() {
    const { log } = this;
    /** @type {number | undefined} */
    let typing;
    const text = h("input", {
      type: "search",
      placeholder: t("log.filter.text"),
      "aria-label": t("log.filter.text"),
      oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => log.setFilter({ text: text.value || null }), TYPING_MS);
      },
    });
    const direction = choice(
      t("log.filter.direction"),
      [["", t("log.filter.all")], ["sent", t("log.sent")], ["received", t("log.received")]],
      "",
      (value) => log.setFilter({ direction: value || null }),
    );
    const reset = h("button", { class: "quiet", onclick: () => {
      text.value = "";
      this.peers.value = "";
      direction.show("");
      log.setFilter({ direction: null, peer: null, text: null });
    } }, t("log.filter.reset"));
    return h("div", { class: "row log-filters", hidden: true }, direction, log.hasPeers && this.peers, text, reset);
  }

  toggleFilter() {
    this.filters.hidden = !this.filters.hidden;
    this.filterButton.setAttribute("aria-expanded", String(!this.filters.hidden));
    if (this.filters.hidden) /** @type {HTMLElement} */ (this.filters.lastElementChild).click();
    else this.filters.querySelector("input")?.focus();
  }

  pause() {
    const isPaused = !this.log.isPaused;
    this.pauseButton.setAttribute("aria-pressed", String(isPaused));
    this.pauseButton.textContent = t(isPaused ? "log.resume" : "log.pause");
    this.log.pause(isPaused);
  }

  /** @param {number} count */
  showWaiting(count) {
    this.pauseButton.textContent = count > 0 ? t("log.resume.more", { n: count }) : t("log.resume");
  }

  /** @param {any} session as it is now */
  update(session) {
    if (document.activeElement !== this.encoding) this.encoding.value = session.settings.encoding;
    this.framing.update(session.settings.framing);
    this.filterButton.setAttribute("aria-pressed", String(this.log.filter !== null));
    const peers = session.peers?.slice(0, 100) ?? [];
    const key = peers.map((/** @type {any} */ peer) => peer.peer).join();
    if (key === this.peersShown || document.activeElement === this.peers) return;
    this.peersShown = key;
    const { value } = this.peers;
    fill(
      this.peers,
      h("option", { value: "" }, t("log.filter.anyone")),
      peers.map((/** @type {any} */ peer) => h("option", { value: String(peer.peer) }, `#${peer.peer} ${peer.address}`)),
    );
    this.peers.value = value;
  }

  files() {
    const { session } = this.log;
    /** @type {(kind: string, words: string) => HTMLElement} */
    const link = (kind, words) => h("a", { href: `/api/session/${session.session}/log.${kind}`, download: `${session.session}.${kind}` }, words);
    return [
      link("txt", t("log.save.txt")),
      link("csv", t("log.save.csv")),
      link("json", t("log.save.json")),
      session.place.on === "lan" ? link("pcapng", t("log.save.pcapng")) : h("span", { class: "soft small menu-note" }, t("log.save.pcapng.no")),
    ];
  }
}

