// Which connection of a recording, and which of its directions, a view shows.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";

export class Choice {
  /** @param {() => void} onChange */
  constructor(onChange) {
    /** @type {number | null} */
    this.connection = null;
    this.direction = 0;
    this.hosts = ["", ""];
    this.select = h("select", { "aria-label": t("ladder.connection"), onchange: () => {
      this.connection = Number(this.select.value);
      this.name();
      onChange();
    } });
    this.switch = h("div", { class: "segments", role: "group", "aria-label": t("choice.direction") });
    this.buttons = [0, 1].map((direction) => h("button", { "aria-pressed": String(direction === 0), onclick: () => {
      this.direction = direction;
      this.buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(place === direction)));
      onChange();
    } }));
    this.switch.append(...this.buttons);
    this.element = h("span", { class: "row" }, this.select, this.switch);
  }

  /**
   * What the news tell of the recording.
   * @param {any} entity
   * @returns {boolean} whether a connection was chosen by that
   */
  hear(entity) {
    this.entity = entity;
    const known = entity.connections.map((/** @type {any} */ one) => one.connection).join(" ");
    if (known === this.known) return false;
    this.known = known;
    const before = this.connection;
    fill(this.select, entity.connections.map((/** @type {any} */ one) => h("option", { value: String(one.connection) }, `#${one.connection}  ${one.ends[0].address} ⇄ ${one.ends[1].address}`)));
    if (this.connection === null && entity.connections.length > 0) this.connection = entity.connections[0].connection;
    if (this.connection !== null) this.select.value = String(this.connection);
    this.element.hidden = entity.connections.length === 0;
    this.name();
    return before !== this.connection;
  }

  /** Names the directions by the hosts. */
  name() {
    const ends = this.entity?.connections.find((/** @type {any} */ one) => one.connection === this.connection)?.ends ?? [];
    this.hosts = ends.map((/** @type {any} */ end) => this.entity.hosts[end.host]?.name ?? end.address);
    const [there, back] = this.hosts;
    if (there === undefined) return;
    fill(this.buttons[0], `${there} → ${back}`);
    fill(this.buttons[1], `${back} → ${there}`);
  }

  /** The present state of the connection, to see whether it has changed. */
  get sign() {
    const connection = this.entity?.connections.find((/** @type {any} */ one) => one.connection === this.connection);
    return `${this.connection} ${this.direction} ${connection?.bytes} ${connection?.retransmissions} ${connection?.state}`;
  }
}
