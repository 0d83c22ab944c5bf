// The state machine (状态图): where both ends of a connection are, how they came there, and the queues of the listeners.

import { h, fill, s } from "../dom.js";
import { t, told } from "../i18n.js";
import { queuesDrawing } from "./queues.js";
import { clock, span } from "./span.js";
import { BOX, PLACES, SIZE, WAYS, pointsOf } from "./state-map.js";

/** A recording that goes on is asked so often where it is. */
const OFTEN_MS = 250;
/** So many changes of state are followed at most. */
const MOST = 500;

export class States {
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
    /** @type {number | null} */
    this.connection = null;
    /** @type {any[]} the changes of the connection's states */
    this.changes = [];
    this.told = "";
    this.select = h("select", { "aria-label": t("states.connection"), onchange: () => this.choose(Number(this.select.value)) });
    this.drawing = h("div", { class: "state-drawing" });
    this.ends = h("div", { class: "state-ends" });
    this.queues = h("div", { class: "queues" });
    this.element = h("div", { class: "states" }, h("div", { class: "row" }, this.select, h("span", { class: "soft small" }, t("states.hint"))), h("div", { class: "states-body" }, h("div", { class: "column" }, this.drawing, this.queues), this.ends));
    this.draw([]);
    store.follow("recordings", recording, (entity) => entity && this.hear(entity), signal);
    moment.on("time", () => this.ask(), signal);
    const timer = setInterval(() => this.element.isConnected && this.moment.time === null && this.entity?.kind === "live" && this.ask(), OFTEN_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** @param {any} entity */
  hear(entity) {
    this.entity = entity;
    const known = entity.connections.map((/** @type {any} */ one) => one.connection).join(" ");
    if (known !== this.known) {
      this.known = known;
      fill(this.select, entity.connections.map((/** @type {any} */ one) => h("option", { value: String(one.connection) }, `#${one.connection}  ${one.ends[0].address} ⇄ ${one.ends[1].address}`)));
      this.select.hidden = entity.connections.length === 0;
      if (this.connection === null && entity.connections.length > 0) this.choose(entity.connections[0].connection);
      else if (this.connection !== null) this.select.value = String(this.connection);
    }
    const told = JSON.stringify(entity.connections.find((/** @type {any} */ one) => one.connection === this.connection)?.state ?? null);
    if (told !== this.told) {
      this.told = told;
      this.learn();
    }
    if (!this.now) this.ask();
  }

  /** @param {number} connection */
  choose(connection) {
    this.connection = connection;
    this.select.value = String(connection);
    this.changes = [];
    this.learn();
  }

  /** Learns the way that both ends took. */
  async learn() {
    const { connection } = this;
    if (connection === null) return this.ask();
    try {
      const filter = { connection, hide: ["frame", "call", "recovery", "drop", "note", "summary"] };
      const { rows } = await this.store.ask("recording.rows", { recording: this.recording, from: 0, count: MOST, filter });
      if (connection !== this.connection) return;
      this.changes = rows.filter((/** @type {any} */ row) => row?.kind === "state" && row.connection === connection);
    } catch {
      // The view says what is known; the next news asks again.
    }
    this.ask();
  }

  async ask() {
    if (this.isAsking) {
      this.isStale = true;
      return;
    }
    this.isAsking = true;
    try {
      const time = this.moment.time ?? this.entity?.to ?? 0;
      this.now = await this.store.ask("recording.at", { recording: this.recording, time: this.moment.time === null && this.entity?.kind === "live" ? null : time });
      this.show();
    } catch {
      // As above.
    } finally {
      this.isAsking = false;
    }
    if (this.isStale) {
      this.isStale = false;
      this.ask();
    }
  }

  show() {
    const { now } = this;
    const connection = now.connections.find((/** @type {any} */ one) => one.connection === this.connection);
    const ends = connection?.ends ?? [];
    this.draw(ends);
    const hosts = this.entity?.hosts ?? [];
    fill(this.ends, ends.map((/** @type {any} */ end, /** @type {number} */ place) => this.endCard(end, hosts[end.host]?.name ?? "", place, now.time)),
      ends.length === 0 && h("p", { class: "soft" }, t("states.none")));
    fill(this.queues, now.listeners.map((/** @type {any} */ listener) => queuesDrawing(listener, hosts[listener.host]?.name ?? "")));
  }

  /**
   * @param {any} end
   * @param {string} name
   * @param {number} place
   * @param {number} time
   */
  endCard(end, name, place, time) {
    const path = this.changesOf(end.host).filter((row) => row.time <= time + 1e-12);
    const left = end.expires !== null && end.expires !== undefined ? end.expires - time : null;
    /** @type {[string, any][]} */
    const numbers = [["cwnd", end.cwnd], ["ssthresh", end.ssthresh], ["in_flight", end.in_flight], ["rtt", end.rtt === null || end.rtt === undefined ? null : span(end.rtt)], ["rto", end.rto === null || end.rto === undefined ? null : span(end.rto)]];
    return h(
      "section",
      { class: `card end end-${place}` },
      h("h3", null, h("i", { class: "marker" }), name, h("span", { class: "mono soft small" }, end.address)),
      h("div", { class: "state-now" }, h("strong", null, end.state), h("span", { class: "soft" }, told(`cause.${end.cause}`, {}, end.cause ?? "")), end.since !== null && h("span", { class: "mono small faint" }, t("states.since", { at: clock(end.since) }))),
      left !== null && left > 0 && h("div", { class: "countdown" }, h("progress", { max: Math.max(left, end.expires - (end.since ?? 0)), value: left, "aria-label": t("states.countdown") }), h("span", { class: "mono" }, t("states.left", { span: span(left) }))),
      h("p", { class: "small soft numbers" }, numbers.filter(([, value]) => value !== null && value !== undefined).map(([key, value]) => h("span", null, `${t(`series.${key}`)} `, h("b", { class: "mono" }, String(value))))),
      h("ol", { class: "path" }, path.map((row) => h("li", null, h("button", { class: "quiet", onclick: () => this.moment.jump(row.row) }, h("span", { class: "mono faint" }, clock(row.time)), h("b", null, row.state), h("span", { class: "soft" }, told(`cause.${row.cause}`, {}, row.cause ?? "")))))),
    );
  }

  /** @param {number} host */
  changesOf(host) {
    return this.changes.filter((row) => row.host === host);
  }

  /** @param {any[]} ends */
  draw(ends) {
    const time = this.now?.time ?? Infinity;
    /** @type {Map<string, number[]>} the ways that were taken, and by which ends */
    const taken = new Map();
    ends.forEach((end, place) => {
      for (const row of this.changesOf(end.host)) {
        if (row.time > time + 1e-12) break;
        const key = `${row.before}>${row.state}`;
        taken.set(key, [...(taken.get(key) ?? []), place]);
      }
    });
    const ways = WAYS.map((way) => {
      const who = [...new Set(taken.get(`${way.from}>${way.to}`) ?? [])];
      const points = pointsOf(way);
      const label = way.label ?? points[0];
      const drawn = points.map((point) => point.join(",")).join(" ");
      return s("g", { class: who.length > 0 ? `way taken ${who.length === 2 ? "by-both" : `by-${who[0]}`}` : "way" },
        s("polyline", { points: drawn, "marker-end": who.length > 0 ? `url(#tip-${who.length === 2 ? "both" : who[0]})` : "url(#tip)" }),
        s("text", { x: label[0], y: label[1], "text-anchor": way.anchor }, t(`way.${way.event}`)));
    });
    const boxes = Object.entries(PLACES).map(([name, [x, y]]) => {
      const here = ends.map((end, place) => (end.state === name ? place : -1)).filter((place) => place >= 0);
      return s("g", { class: `state ${here.map((place) => `has-${place}`).join(" ")}` },
        s("rect", { x: x - BOX.width / 2, y: y - BOX.height / 2, width: BOX.width, height: BOX.height, rx: 7 }),
        s("text", { x, y: y + 4.5, "text-anchor": "middle" }, name),
        here.map((place) => s("circle", { class: `marker-${place}`, cx: x + (place === 0 ? -1 : 1) * (BOX.width / 2), cy: y - BOX.height / 2, r: 7 })));
    });
    const tips = ["tip", "tip-0", "tip-1", "tip-both"].map((id) => s("marker", { id, class: id, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, s("path", { d: "M0 0L10 5L0 10z" })));
    const said = ends.map((end) => end.state).join(", ");
    fill(this.drawing, s("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": t("states.label", { states: said }) }, s("defs", null, tips), ways, boxes));
  }
}
