// The clients of a server, the connections of a forwarder, or those that a UDP session has heard of.

import { h, fill } from "../dom.js";
import { size, t } from "../i18n.js";
import { select } from "../parts/choice.js";
import { keepFocus } from "../parts/focus.js";
import { complain } from "../parts/toast.js";
import { moment } from "./log-row.js";
import { isAlive } from "./targets.js";

/** @typedef {{element: HTMLElement, show: (peer: any) => void}} Row */

/** The API tells of no more. */
const SHOWN = 500;

export class Peers {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   * @param {import("./targets.js").Targets} targets
   */
  constructor(store, session, targets) {
    this.store = store;
    this.session = session;
    this.targets = targets;
    /** @type {Map<number, Row>} */
    this.rows = new Map();
    this.all = h("input", { type: "checkbox", "aria-label": t("peers.all"), onchange: () => this.tickAll(this.all.checked) });
    this.list = h("ul", { class: "peers-list" });
    this.none = h("p", { class: "soft" }, t(`peers.none.${session.kind}`));
    this.count = h("span", { class: "grow soft small" });
    this.fin = h("button", { class: "small-button", title: t("peers.fin.hint"), onclick: () => this.disconnect("fin") }, t("peers.fin"));
    this.rst = h("button", { class: "small-button danger", title: t("peers.rst.hint"), onclick: () => this.disconnect("rst") }, t("peers.rst"));
    const isUdp = session.kind === "udp";
    this.element = h(
      "div",
      { class: "column" },
      h("div", { class: "row nowrap" }, h("label", null, this.all, t("peers.all")), this.count),
      !isUdp && h("div", { class: "row nowrap" }, this.fin, this.rst),
      this.none,
      this.list,
    );
    targets.addEventListener("change", () => this.show());
    this.update(session);
  }

  get alive() {
    return this.session.peers.filter(isAlive).map((/** @type {any} */ peer) => peer.peer);
  }

  /** @param {boolean} isTicked */
  tickAll(isTicked) {
    this.targets.tickAll(isTicked ? this.alive : []);
  }

  /** @param {"fin" | "rst"} how */
  async disconnect(how) {
    const { ticked } = this.targets;
    const peers = ticked.size > 0 ? [...ticked] : "all";
    try {
      await this.store.ask("session.disconnect", { session: this.session.session, peers, how });
    } catch (reason) {
      complain(reason);
    }
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    this.show();
  }

  show() {
    const { ticked } = this.targets;
    const peers = [...this.session.peers].sort((a, b) => Number(isAlive(b)) - Number(isAlive(a)) || b.peer - a.peer).slice(0, SHOWN);
    const { alive } = this;
    this.none.hidden = peers.length > 0;
    this.all.disabled = alive.length === 0;
    this.all.checked = alive.length > 0 && ticked.size === alive.length;
    this.all.indeterminate = ticked.size > 0 && ticked.size < alive.length;
    this.count.textContent = ticked.size > 0 ? t("peers.ticked", { n: ticked.size, all: alive.length }) : t(this.session.kind === "udp" ? "peers.heard" : "peers.count", { n: alive.length });
    for (const button of [this.fin, this.rst]) button.disabled = alive.length === 0;
    const before = this.rows;
    this.rows = new Map(peers.map((peer) => [peer.peer, before.get(peer.peer) ?? this.row(peer)]));
    for (const peer of peers) this.rows.get(peer.peer)?.show(peer);
    // The same rows in the same order stay where they are, and with them what has the focus.
    if ([...before.keys()].join() !== [...this.rows.keys()].join()) {
      keepFocus(this.list, () => fill(this.list, [...this.rows.values()].map(({ element }) => element)));
    }
  }

  /**
   * A row, and what shows in it how things are now.
   * @param {any} peer
   * @returns {Row}
   */
  row({ peer, address, since }) {
    const { store, targets } = this;
    const encodings = /** @type {[string, string][]} */ ([["", t("peers.encoding.session")], ...(store.about.encodings ?? []).map((/** @type {string} */ name) => [name, name])]);
    const encoding = select(t("peers.encoding"), encodings, "", (name) => {
      store.ask("session.peer", { session: this.session.session, peer, encoding: name || null }).catch(complain);
    });
    const box = h("input", { type: "checkbox", "aria-label": `#${peer} ${address}`, onchange: () => targets.tick(peer, box.checked) });
    const state = h("span");
    const received = h("span", { title: t("log.received") });
    const sent = h("span", { title: t("log.sent") });
    const element = h(
      "li",
      { title: `${t("peers.since")} ${moment({ at: since }, "date")}` },
      h("label", { class: "peer-name" }, box, h("span", { class: "number" }, `#${peer}`), h("span", { class: "mono grow" }, address)),
      state,
      h("span", { class: "peer-more small soft" }, received, sent),
      encoding,
    );
    /** @param {any} now */
    const show = (now) => {
      const lives = isAlive(now);
      element.className = `peer-row ${lives ? "" : "is-gone"}`;
      box.disabled = !lives;
      box.checked = targets.ticked.has(peer);
      state.className = `badge ${lives ? "good" : ""}`;
      state.textContent = t(`peer.${now.state}`);
      received.textContent = `← ${size(now.received)}`;
      sent.textContent = `→ ${size(now.sent)}`;
      if (document.activeElement !== encoding) encoding.value = now.encoding ?? "";
    };
    return { element, show };
  }
}
