// To whom a UDP session sends: any address, everybody, or a group.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { field } from "../parts/choice.js";

export class UdpTarget {
  /**
   * @param {any} session
   * @param {import("./targets.js").Targets} targets
   */
  constructor(session, targets) {
    this.targets = targets;
    this.input = h("input", { class: "mono", value: targets.address, placeholder: "127.0.0.1:5000", spellcheck: false, oninput: () => this.set(this.input.value.trim()) });
    this.heard = h("div", { class: "chips" });
    const [, port = "5000"] = /:(\d+)$/.exec(session.local ?? "") ?? [];
    /** @type {(address: string, words: string) => HTMLElement} */
    const offered = (address, words) =>
      h("button", { class: "small-button", title: address, onclick: () => {
        this.input.value = address;
        this.set(address);
      } }, words);
    this.element = h(
      "div",
      { class: "column" },
      field(t("udp.target"), this.input, t("udp.target.hint")),
      h("div", { class: "chips" }, offered(`127.0.0.1:${port}`, t("udp.self")), offered(`255.255.255.255:${port}`, t("udp.broadcast")), offered(`239.7.7.8:${port}`, t("udp.multicast"))),
      this.heard,
      h("p", { class: "small soft" }, t("udp.hint")),
    );
    this.offered = offered;
    this.update(session);
  }

  /** @param {string} address */
  set(address) {
    this.targets.address = address;
    this.targets.tickAll([]);
  }

  /** @param {any} session as it is now */
  update(session) {
    const addresses = session.peers.slice(0, 12).map((/** @type {any} */ peer) => peer.address);
    const key = addresses.join();
    if (key === this.shown) return;
    this.shown = key;
    fill(this.heard, addresses.map((/** @type {string} */ address) => this.offered(address, address)));
    if (!this.targets.address && addresses.length > 0) {
      this.input.value = addresses[0];
      this.targets.address = addresses[0];
    }
  }
}
