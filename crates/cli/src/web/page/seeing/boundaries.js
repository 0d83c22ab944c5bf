// Boundaries (粘包图): the calls of send, the segments and the returns of recv, as three stripes on one axis of bytes.

import { h, fill } from "../dom.js";
import { size, t } from "../i18n.js";
import { onceAFrame } from "../parts/frame.js";
import { complain } from "../parts/toast.js";
import { Choice } from "./choice.js";
import { palette, penFor, widthOf } from "./pen.js";
import { clock, round125 } from "./span.js";

const LEFT = 84;
const RIGHT = 16;
const TOP = 34;
const STRIPE = 42;
const AGAIN_MS = 300;
const FEWEST = 4;

/** @typedef {[number, number, number, string?]} Piece bytes from, to, the time, and what sort of segment */

export class Boundaries {
  draw = onceAFrame(() => this.drawNow());

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
    this.range = { from: 0, to: 0 };
    this.isWhole = true;
    this.sign = "";
    /** @type {{total: number, sends: Piece[], segments: Piece[], receives: Piece[], cut: boolean} | null} */
    this.known = null;
    this.choice = new Choice(() => {
      this.isWhole = true;
      this.ask();
    });
    this.canvas = h("canvas", { tabIndex: 0, role: "img" });
    this.over = h("div", { class: "read-out mono small", "aria-live": "polite" });
    this.words = h("div", { class: "boundary-words" });
    this.element = h(
      "div",
      { class: "boundaries" },
      h("div", { class: "row" }, this.choice.element, h("span", { class: "grow" }),
        h("button", { class: "quiet icon", "aria-label": t("zoom.out"), onclick: () => this.zoom(2) }, "−"),
        h("button", { class: "quiet icon", "aria-label": t("zoom.in"), onclick: () => this.zoom(0.5) }, "+"),
        h("button", { class: "quiet", onclick: () => { this.isWhole = true; this.ask(); } }, t("zoom.all"))),
      h("div", { class: "stripes" }, this.canvas, this.over),
      this.words,
    );
    const watcher = new ResizeObserver(() => this.draw());
    watcher.observe(this.canvas);
    signal.addEventListener("abort", () => watcher.disconnect());
    document.addEventListener("theme", () => this.draw(), { signal });
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(((event.deltaX || event.deltaY) * this.visible) / 1000);
      else this.zoom(Math.exp(event.deltaY / 300), this.byteAt(event.offsetX));
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.onPointer(event));
    this.canvas.addEventListener("pointermove", (event) => this.read(event.offsetX, event.offsetY));
    this.canvas.addEventListener("pointerleave", () => fill(this.over));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    moment.on("time", () => this.draw(), signal);
    store.follow("recordings", recording, (entity) => entity && this.hear(entity), signal);
  }

  get visible() {
    return Math.max(FEWEST, this.range.to - this.range.from);
  }

  get scale() {
    return (this.canvas.clientWidth - LEFT - RIGHT) / this.visible;
  }

  /** The height between two stripes. */
  get between() {
    return this.canvas.clientWidth < 640 ? 22 : 46;
  }

  /** @param {any} entity */
  hear(entity) {
    this.choice.hear(entity);
    if (this.choice.sign === this.sign) return;
    this.sign = this.choice.sign;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), this.known ? AGAIN_MS : 0);
  }

  async ask() {
    const { connection, direction } = this.choice;
    if (connection === null) return this.draw();
    const { from, to } = this.range;
    const bytes = this.isWhole ? { from: 0, to: null } : { from: Math.max(0, Math.floor(from)), to: Math.ceil(to) };
    try {
      const known = await this.store.ask("recording.boundaries", { recording: this.recording, connection, direction, ...bytes });
      if (connection !== this.choice.connection || direction !== this.choice.direction) return;
      this.known = known;
      if (this.isWhole) this.range = { from: 0, to: Math.max(FEWEST, known.total) };
      this.tell();
      this.draw();
    } catch (reason) {
      complain(reason);
    }
  }

  askLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 150);
  }

  /** @param {number} x */
  byteAt(x) {
    return this.range.from + (x - LEFT) / this.scale;
  }

  /**
   * @param {number} factor
   * @param {number} [around]
   */
  zoom(factor, around = (this.range.from + this.range.to) / 2) {
    const total = Math.max(FEWEST, this.known?.total ?? 0);
    const visible = Math.max(FEWEST, Math.min(total, this.visible * factor));
    const share = (around - this.range.from) / this.visible;
    this.range.from = Math.max(0, Math.min(total - visible, around - share * visible));
    this.range.to = this.range.from + visible;
    this.isWhole = visible >= total;
    this.draw();
    this.askLater();
  }

  /** @param {number} bytes */
  pan(bytes) {
    const total = Math.max(FEWEST, this.known?.total ?? 0);
    const { visible } = this;
    this.range.from = Math.max(0, Math.min(total - visible, this.range.from + bytes));
    this.range.to = this.range.from + visible;
    this.draw();
    this.askLater();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "ArrowLeft") this.pan(-this.visible / 10);
    else if (event.key === "ArrowRight") this.pan(this.visible / 10);
    else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  onPointer(event) {
    let last = event.clientX;
    this.canvas.setPointerCapture(event.pointerId);
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      this.pan((last - moved.clientX) / this.scale);
      last = moved.clientX;
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("lostpointercapture", () => this.canvas.removeEventListener("pointermove", move), { once: true });
  }

  /** What the picture shows, in words. */
  tell() {
    const { known } = this;
    if (!known) return;
    const [sends, receives] = [known.sends.length, known.receives.length];
    const segments = known.segments.filter(([, , , kind]) => kind !== "again").length;
    const sendEnds = new Set(known.sends.map(([, to]) => to));
    const glued = known.receives.filter(([from, to]) => known.sends.some(([, end]) => end > from && end < to)).length;
    const split = known.receives.filter(([, to]) => !sendEnds.has(to)).length;
    const key = receives === 0 ? "nothing" : glued > 0 && split > 0 ? "both" : glued > 0 ? "glued" : split > 0 ? "split" : "equal";
    this.canvas.setAttribute("aria-label", t("boundaries.label", { sends, segments, receives }));
    fill(
      this.words,
      h("p", null, h("strong", null, t("boundaries.label", { sends, segments, receives }))),
      known.cut && h("p", { class: "soft small" }, t("boundaries.cut")),
      h("p", null, t(`boundaries.${key}`, { glued, split, receives })),
      key !== "equal" && key !== "nothing" && h("div", { class: "card cure" }, h("h3", null, t("boundaries.cure")), h("ul", null, ["line", "length", "fixed", "close"].map((way) => h("li", null, t(`boundaries.cure.${way}`)))), h("a", { href: "#lesson=sticky" }, t("boundaries.lesson"))),
    );
  }

  /** @returns {[string, Piece[], string, string][]} */
  stripes() {
    const { known } = this;
    const segments = known?.segments ?? [];
    const isFirst = (/** @type {Piece} */ [, , , kind]) => kind !== "again";
    const [first, later] = [segments.filter(isFirst), segments.filter((one) => !isFirst(one))];
    return [["send()", known?.sends ?? [], "call", "call-soft"], [t("boundaries.segments"), first, "sent", "sent-soft"], ...(later.length > 0 ? [/** @type {[string, Piece[], string, string]} */ ([t("boundaries.again"), later, "again", "warning-soft"])] : []), ["recv()", known?.receives ?? [], "received", "received-soft"]];
  }

  drawNow() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    if (width === 0) return;
    const stripes = this.stripes();
    const height = TOP + stripes.length * STRIPE + (stripes.length - 1) * this.between + 20;
    canvas.style.height = `${height}px`;
    const pen = penFor(canvas, width, height);
    const colours = palette();
    const { scale, range } = this;
    const x = (/** @type {number} */ byte) => LEFT + (byte - range.from) * scale;
    const now = this.moment.time;
    this.axis(pen, colours, width, height, x);
    const y = stripes.map((_, place) => TOP + place * (STRIPE + this.between));
    // Where calls of send end, a line leads down through all stripes: what crosses it was put together.
    for (const [, to] of this.known?.sends ?? []) if (x(to) > LEFT && x(to) < width) pen.line([[x(to), y[0] + STRIPE], [x(to), y[y.length - 1] + STRIPE]], { color: colours.call, dash: [3, 4], alpha: 0.55 });
    for (const [, to] of this.known?.receives ?? []) if (x(to) > LEFT && x(to) < width) pen.line([[x(to), y[y.length - 1]], [x(to), y[y.length - 1] - this.between + 8]], { color: colours.received, dash: [3, 4], alpha: 0.7 });
    stripes.forEach(([, pieces, line, soft], place) => {
      for (const [from, to, time, kind] of pieces) {
        if (x(to) < LEFT || x(from) > width) continue;
        if (now !== null && time > now) continue;
        const [left, right] = [Math.max(LEFT, x(from)), Math.min(width - RIGHT, x(to))];
        const isLost = kind === "lost";
        pen.rect(left + 0.5, y[place], Math.max(1, right - left - 1), STRIPE, { fill: isLost ? colours["error-soft"] : colours[soft], stroke: isLost ? colours.lost : colours[line], radius: Math.min(5, (right - left) / 3) });
        const text = isLost ? `✗ ${to - from}` : String(to - from);
        const wide = widthOf(text, { face: "mono", size: 12, weight: 600 });
        if (right - left > wide + 6) pen.text((left + right) / 2, y[place] + STRIPE / 2 + 4, text, { face: "mono", size: 12, weight: 600, align: "center", color: isLost ? colours.lost : colours[line] });
      }
    });
    pen.rect(0, 22, LEFT - 1, height, { fill: colours.sheet });
    stripes.forEach(([name, pieces, line], place) => {
      pen.text(LEFT - 10, y[place] + STRIPE / 2 - 1, name, { face: place === 0 || place === stripes.length - 1 ? "mono" : "sans", size: 12.5, weight: 600, align: "right", color: colours[line], most: LEFT - 14 });
      pen.text(LEFT - 10, y[place] + STRIPE / 2 + 14, `× ${pieces.length}`, { size: 11, align: "right", color: colours["ink-faint"] });
    });
    if (!this.known || this.known.total === 0) pen.text(width / 2, height / 2, t("boundaries.none"), { size: 14, align: "center", color: colours["ink-faint"], halo: colours.sheet });
  }

  /**
   * @param {import("./pen.js").Pen} pen
   * @param {import("./pen.js").Palette} colours
   * @param {number} width
   * @param {number} height
   * @param {(byte: number) => number} x
   */
  axis(pen, colours, width, height, x) {
    const step = Math.max(1, round125(90 / this.scale) * (round125(90 / this.scale) * this.scale < 50 ? 2 : 1));
    for (let byte = Math.ceil(this.range.from / step) * step; x(byte) <= width - RIGHT + 1; byte += step) {
      pen.line([[x(byte), 22], [x(byte), height - 12]], { color: colours.line, alpha: 0.7 });
      pen.text(x(byte), 15, byte >= 100_000 ? size(byte) : String(byte), { face: "mono", size: 11, align: "center", color: colours["ink-faint"] });
    }
  }

  /**
   * Says what is under the pointer.
   * @param {number} px
   * @param {number} py
   */
  read(px, py) {
    const stripes = this.stripes();
    const place = Math.floor((py - TOP) / (STRIPE + this.between));
    const byte = this.byteAt(px);
    const piece = stripes[place]?.[1].find(([from, to]) => byte >= from && byte < to);
    if (!piece || px < LEFT) return fill(this.over);
    const [from, to, time] = piece;
    fill(this.over, t("boundaries.piece", { what: stripes[place][0], count: to - from, from, to, at: clock(time) }));
  }
}
