// A chart over time: lines and steps, dots, bars of segments; what is under the pointer is read out, dragging zooms.

import { h, fill } from "../dom.js";
import { t, told } from "../i18n.js";
import { onceAFrame } from "../parts/frame.js";
import { palette, penFor, widthOf } from "./pen.js";
import { round125, span } from "./span.js";

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} unit
 * @property {[number, number][]} points
 */
/**
 * @typedef {object} Look how a series is drawn
 * @property {string} colour a name of tokens.css
 * @property {"line" | "step" | "dots" | "area"} [form]
 * @property {number[]} [dash]
 */
/** @typedef {{from: number, to: number, series: Series[], segments?: any[], sacks?: any[]}} Data */

const LEFT = 66;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;

export class Chart {
  draw = onceAFrame(() => this.drawNow());

  /**
   * @param {string} title
   * @param {Record<string, Look>} looks
   * @param {number} height
   * @param {{onZoom: (from: number, to: number) => void, onHover: (time: number | null) => void, onClick: (time: number) => void, legend?: [string, string][]}} options
   */
  constructor(title, looks, height, options) {
    this.looks = looks;
    this.height = height;
    this.options = options;
    /** @type {Data | null} */
    this.data = null;
    /** @type {Set<string>} */
    this.hidden = new Set();
    /** @type {number | null} */
    this.hover = null;
    /** @type {number | null} */
    this.now = null;
    this.named = "";
    this.canvas = h("canvas", { role: "img", "aria-label": title });
    this.canvas.style.height = `${height}px`;
    this.readOut = h("output", { class: "read-out mono small" });
    this.legend = h("span", { class: "legend" });
    this.element = h("figure", { class: "chart" }, h("figcaption", null, h("strong", null, title), this.legend), h("div", { class: "chart-body" }, this.canvas, this.readOut));
    this.canvas.addEventListener("pointermove", (event) => options.onHover(this.timeAt(event.offsetX)));
    this.canvas.addEventListener("pointerleave", () => options.onHover(null));
    this.canvas.addEventListener("pointerdown", (event) => this.onPointer(event));
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      if (!this.data) return;
      const [at, factor] = [this.timeAt(event.offsetX), Math.exp(event.deltaY / 240)];
      options.onZoom(at - (at - this.data.from) * factor, at + (this.data.to - at) * factor);
    }, { passive: false });
  }

  /** @param {Data} data */
  show(data) {
    this.data = data;
    const names = data.series.map(({ name }) => name).join(" ");
    if (names !== this.named) {
      this.named = names;
      fill(this.legend, data.series.map(({ name }) => this.key(name, told(`series.${name}`, {}, name), this.looks[name]?.colour ?? "ink-soft")), (this.options.legend ?? []).map(([name, colour]) => this.key(name, told(`series.${name}`, {}, name), colour)));
    }
    this.draw();
  }

  /**
   * @param {string} name
   * @param {string} title
   * @param {string} colour
   */
  key(name, title, colour) {
    const button = h("button", { class: "quiet key", "aria-pressed": "true", onclick: () => {
      if (!this.hidden.delete(name)) this.hidden.add(name);
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      this.draw();
    } }, h("i", { style: { background: `var(--${colour})` } }), title);
    return button;
  }

  get scale() {
    return (this.canvas.clientWidth - LEFT - RIGHT) / ((this.data?.to ?? 1) - (this.data?.from ?? 0) || 1);
  }

  /** @param {number} x */
  timeAt(x) {
    return (this.data?.from ?? 0) + Math.max(0, Math.min(this.canvas.clientWidth - LEFT - RIGHT, x - LEFT)) / this.scale;
  }

  /** @param {PointerEvent} event */
  onPointer(event) {
    const start = event.offsetX;
    this.canvas.setPointerCapture(event.pointerId);
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      this.dragged = [start, moved.offsetX];
      this.draw();
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", (up) => {
      this.canvas.removeEventListener("pointermove", move);
      this.dragged = undefined;
      const [left, right] = [Math.min(start, up.offsetX), Math.max(start, up.offsetX)];
      if (right - left > 8) this.options.onZoom(this.timeAt(left), this.timeAt(right));
      else this.options.onClick(this.timeAt(up.offsetX));
    }, { once: true });
  }

  /** @param {number | null} time */
  point(time) {
    this.hover = time;
    if (time === null || !this.data) fill(this.readOut);
    else {
      const parts = this.data.series.filter(({ name, points }) => !this.hidden.has(name) && points.length > 0).map(({ name, unit, points }) => `${told(`series.${name}`, {}, name)} ${amount(at(points, time), unit)}`);
      fill(this.readOut, [span(time), ...parts].join("  ·  "));
    }
    this.draw();
  }

  drawNow() {
    const { data, canvas, height } = this;
    const width = canvas.clientWidth;
    if (width === 0) return;
    const pen = penFor(canvas, width, height);
    const colours = palette();
    if (!data || !(data.to > data.from)) {
      pen.text(width / 2, height / 2, t("plots.none"), { color: colours["ink-faint"], size: 13, align: "center" });
      return;
    }
    const shown = data.series.filter(({ name }) => !this.hidden.has(name));
    const [low, high] = this.reach(shown);
    const bottom = height - BOTTOM;
    const x = (/** @type {number} */ time) => LEFT + (time - data.from) * this.scale;
    const y = (/** @type {number} */ value) => bottom - ((value - low) / (high - low || 1)) * (bottom - TOP);
    this.axes(pen, colours, width, low, high, x, y, data.series[0]?.unit ?? "bytes");
    const { context } = pen;
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width - LEFT - RIGHT, bottom + 1);
    context.clip();
    this.segments(pen, colours, x, y);
    for (const { name, points } of shown) this.series(pen, colours, this.looks[name] ?? { colour: "ink-soft" }, points, x, y, bottom);
    context.restore();
    if (this.now !== null && this.now >= data.from && this.now <= data.to) pen.line([[x(this.now), TOP], [x(this.now), bottom]], { color: colours.accent, width: 1.5 });
    if (this.hover !== null) pen.line([[x(this.hover), TOP], [x(this.hover), bottom]], { color: colours["ink-faint"], dash: [2, 3] });
    if (this.dragged) pen.rect(Math.min(...this.dragged), TOP, Math.abs(this.dragged[1] - this.dragged[0]), bottom - TOP, { fill: colours.focus, alpha: 0.18 });
  }

  /**
   * The least and the greatest value.
   * @param {Series[]} shown
   */
  reach(shown) {
    let [low, high] = [Infinity, -Infinity];
    const { from: begin, to: end } = this.data ?? { from: 0, to: 0 };
    const isShown = (/** @type {number} */ time) => time >= begin && time <= end;
    for (const { points } of shown) for (const [time, value] of points) if (isShown(time)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    for (const [time, from, to] of this.data?.segments ?? []) if (isShown(time)) [low, high] = [Math.min(low, from), Math.max(high, to)];
    if (!Number.isFinite(low)) return [0, 1];
    const isSequence = (this.data?.segments ?? []).length > 0;
    return [isSequence ? low : Math.min(0, low), high + (high - low) * 0.04 || 1];
  }

  /**
   * @param {import("./pen.js").Pen} pen
   * @param {import("./pen.js").Palette} colours
   * @param {Look} look
   * @param {[number, number][]} points
   * @param {(time: number) => number} x
   * @param {(value: number) => number} y
   * @param {number} bottom
   */
  series(pen, colours, look, points, x, y, bottom) {
    const color = colours[look.colour];
    if (look.form === "dots") {
      for (const [time, value] of points) pen.circle(x(time), y(value), 1.8, { fill: color });
      return;
    }
    /** @type {number[][]} */
    const drawn = [];
    points.forEach(([time, value], place) => {
      if (look.form === "step" && place > 0) drawn.push([x(time), y(points[place - 1][1])]);
      drawn.push([x(time), y(value)]);
    });
    if (drawn.length === 0) return;
    if (look.form === "area") pen.shape([[drawn[0][0], bottom], ...drawn, [drawn[drawn.length - 1][0], bottom]], { fill: color, alpha: 0.14 });
    pen.line(drawn, { color, width: 1.6, dash: look.dash });
  }

  /**
   * Segments as tcptrace draws them: a bar from the first byte to behind the last.
   * @param {import("./pen.js").Pen} pen
   * @param {import("./pen.js").Palette} colours
   * @param {(time: number) => number} x
   * @param {(value: number) => number} y
   */
  segments(pen, colours, x, y) {
    /** @type {Record<string, string>} */
    const kinds = { new: colours["series-1"], again: colours.again, lost: colours.lost };
    for (const [time, from, to, kind] of this.data?.segments ?? []) {
      if (this.hidden.has(kind)) continue;
      const [px, top, low] = [x(time), y(to), y(from)];
      pen.line([[px, low], [px, Math.min(top, low - 1)]], { color: kinds[kind] ?? kinds.new, width: kind === "new" ? 1.6 : 2.2 });
      if (kind === "lost") {
        const middle = (top + low) / 2;
        pen.line([[px - 4, middle - 4], [px + 4, middle + 4]], { color: colours.lost, width: 1.8 });
        pen.line([[px - 4, middle + 4], [px + 4, middle - 4]], { color: colours.lost, width: 1.8 });
      } else {
        pen.line([[px - 2.5, low], [px + 2.5, low]], { color: kinds[kind] ?? kinds.new });
        pen.line([[px - 2.5, top], [px + 2.5, top]], { color: kinds[kind] ?? kinds.new });
      }
    }
    if (this.hidden.has("sack")) return;
    for (const [time, from, to] of this.data?.sacks ?? []) pen.line([[x(time), y(from)], [x(time), y(to)]], { color: colours["series-4"], width: 1.2, alpha: 0.8 });
  }

  /**
   * @param {import("./pen.js").Pen} pen
   * @param {import("./pen.js").Palette} colours
   * @param {number} width
   * @param {number} low
   * @param {number} high
   * @param {(time: number) => number} x
   * @param {(value: number) => number} y
   * @param {string} unit
   */
  axes(pen, colours, width, low, high, x, y, unit) {
    const bottom = this.height - BOTTOM;
    const step = round125((high - low) / Math.max(2, (bottom - TOP) / 52)) || 1;
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      pen.line([[LEFT, y(value)], [width - RIGHT, y(value)]], { color: colours.line, alpha: 0.8 });
      pen.text(LEFT - 7, y(value) + 4, amount(value, unit), { size: 10.5, face: "mono", color: colours["ink-faint"], align: "right", most: LEFT - 8 });
    }
    const [from, to] = [this.data?.from ?? 0, this.data?.to ?? 1];
    const apart = Math.max(80, widthOf("000.000 ms", { size: 10.5, face: "mono" }) + 16);
    const tick = round125(apart / this.scale) * (round125(apart / this.scale) * this.scale < apart * 0.75 ? 2 : 1);
    for (let time = Math.ceil(from / tick) * tick; time <= to; time += tick) {
      pen.line([[x(time), TOP], [x(time), bottom]], { color: colours.line, alpha: 0.5 });
      pen.text(x(time), bottom + 15, span(time), { size: 10.5, face: "mono", color: colours["ink-faint"], align: "center" });
    }
    pen.line([[LEFT, bottom], [width - RIGHT, bottom]], { color: colours["line-strong"] });
  }
}

/**
 * The value of a series at a time: that of the last point before it.
 * @param {[number, number][]} points
 * @param {number} time
 */
function at(points, time) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= time) low = middle + 1;
    else high = middle;
  }
  return points[Math.max(0, low - 1)]?.[1] ?? 0;
}

/**
 * With a thousand's prefix: axes have decimal steps.
 * @param {number} value
 */
function decimal(value) {
  const power = Math.abs(value) >= 1e9 ? 3 : Math.abs(value) >= 1e6 ? 2 : Math.abs(value) >= 1e4 ? 1 : 0;
  return `${Number((value / 1000 ** power).toFixed(power === 0 ? 0 : 1))} ${["", "k", "M", "G"][power]}`;
}

/**
 * @param {number} value
 * @param {string} unit
 */
function amount(value, unit) {
  if (unit === "s" || unit === "seconds") return span(value);
  if (unit.startsWith("bytes")) return `${decimal(value)}B${unit.slice("bytes".length)}`;
  return `${Math.round(value * 100) / 100}`;
}
