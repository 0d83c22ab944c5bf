// The plots of a connection, one above the other, on one axis of time.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { complain } from "../parts/toast.js";
import { Chart } from "./chart.js";
import { Choice } from "./choice.js";

/** @typedef {Record<string, import("./chart.js").Look>} Looks */

/** @type {[string, number, Looks, [string, string][]?][]} each plot, its height, how its series look, and what else its legend has */
const PLOTS = [
  ["sequence", 280, { ack: { colour: "series-2", form: "step" }, window: { colour: "series-6", form: "step" } }, [["new", "series-1"], ["again", "again"], ["lost", "lost"], ["sack", "series-4"]]],
  ["window", 180, { cwnd: { colour: "series-1", form: "step" }, ssthresh: { colour: "series-5", form: "step", dash: [6, 4] }, in_flight: { colour: "series-2", form: "area" }, peer_window: { colour: "series-3", form: "step" } }],
  ["rtt", 150, { rtt: { colour: "series-1", form: "dots" }, srtt: { colour: "series-2", form: "line" }, rto: { colour: "series-3", form: "step" } }],
  ["throughput", 150, { throughput: { colour: "series-1", form: "area" }, goodput: { colour: "series-2", form: "line" } }],
  ["queues", 150, { send_queue: { colour: "series-1", form: "area" }, receive_queue: { colour: "series-2", form: "area" }, out_of_order: { colour: "series-4", form: "step" }, on_the_way: { colour: "series-3", form: "step" } }],
];
const AGAIN_MS = 500;
const SHORTEST = 1e-6;

export class Plots {
  /**
   * @param {import("../store.js").Store} store
   * @param {string} recording
   * @param {import("./moment.js").Moment} moment
   * @param {AbortSignal} signal
   */
  constructor(store, recording, moment, signal) {
    this.store = store;
    this.recording = recording;
    /** @type {{from: number, to: number} | null} what is zoomed to, or everything */
    this.range = null;
    this.sign = "";
    this.choice = new Choice(() => {
      this.range = null;
      this.ask();
    });
    const options = {
      onZoom: (/** @type {number} */ from, /** @type {number} */ to) => this.zoom(from, to),
      onHover: (/** @type {number | null} */ time) => this.charts.forEach((chart) => chart.point(time)),
      onClick: (/** @type {number} */ time) => this.show(time),
    };
    this.charts = PLOTS.map(([name, height, looks, legend]) => new Chart(t(`plot.${name}`), looks, height, { ...options, legend }));
    this.moment = moment;
    this.hint = h("span", { class: "soft small hint-drag" }, t("plots.hint"));
    this.all = h("button", { class: "quiet", hidden: true, onclick: () => { this.range = null; this.ask(); } }, t("zoom.all"));
    this.body = h("div", { class: "charts" }, this.charts.map(({ element }) => element));
    this.element = h("div", { class: "plots" }, h("div", { class: "row" }, this.choice.element, h("span", { class: "grow" }), this.hint, this.all), this.body);
    const watcher = new ResizeObserver(() => this.charts.forEach((chart) => chart.draw()));
    watcher.observe(this.body);
    signal.addEventListener("abort", () => watcher.disconnect());
    document.addEventListener("theme", () => this.charts.forEach((chart) => chart.draw()), { signal });
    moment.on("time", () => this.follow(), signal);
    store.follow("recordings", recording, (entity) => entity && this.hear(entity), signal);
  }

  /** @param {any} entity */
  hear(entity) {
    this.entity = entity;
    this.choice.hear(entity);
    const sign = `${this.choice.sign} ${this.choice.connection === null ? "" : entity.rows}`;
    if (sign === this.sign) return;
    this.sign = sign;
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.element.isConnected || !this.isKnown) this.ask();
    }, this.isKnown ? AGAIN_MS : 0);
  }

  async ask() {
    const { connection, direction } = this.choice;
    this.all.hidden = this.range === null;
    this.hint.hidden = this.range !== null;
    if (connection === null) {
      fill(this.body, h("p", { class: "soft padded" }, t("plots.no-connection")));
      return;
    }
    if (!this.charts[0].element.isConnected) fill(this.body, this.charts.map(({ element }) => element));
    this.isKnown = true;
    const { from, to } = this.range ?? { from: null, to: null };
    const points = Math.max(200, Math.min(2000, this.body.clientWidth || 800));
    // One axis for all: that of the whole connection, unless one has zoomed.
    const told = this.entity.connections.find((/** @type {any} */ one) => one.connection === connection);
    const whole = { from: told?.from ?? this.entity.from, to: told?.to ?? this.entity.to };
    try {
      await Promise.all(PLOTS.map(async ([plot], place) => {
        const data = await this.store.ask("recording.plot", { recording: this.recording, connection, direction, plot, from: from ?? whole.from, to: to ?? whole.to, points });
        if (connection === this.choice.connection && direction === this.choice.direction) this.charts[place].show({ ...data, from: from ?? whole.from, to: to ?? whole.to });
      }));
    } catch (reason) {
      complain(reason);
    }
    this.follow();
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  zoom(from, to) {
    if (!(to - from >= SHORTEST)) return;
    this.range = { from: Math.max(this.entity.from, from), to: Math.min(Math.max(this.entity.to, from + SHORTEST), to) };
    this.ask();
  }

  /** Shows the ladder where something is in a plot. @param {number} time */
  async show(time) {
    const { index } = await this.store.ask("recording.find", { recording: this.recording, time, filter: null });
    this.moment.jump(Math.min(index, this.entity.first + this.entity.rows - 1));
  }

  follow() {
    for (const chart of this.charts) {
      chart.now = this.moment.time;
      chart.draw();
    }
  }
}
