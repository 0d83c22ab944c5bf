// The ladder (时序图): what the programs called, what went over the cables, and what became of it, on one clock.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { onceAFrame } from "../parts/frame.js";
import { HEAD, drawLadder } from "./ladder-draw.js";
import { fitting, layOut } from "./ladder-layout.js";
import { SvgPen, download, palette, penFor } from "./pen.js";
import { LadderBar } from "./ladder-bar.js";
import { PAGE, Rows } from "./rows.js";
import { Scrollbar } from "./scrollbar.js";
import { TOP, Viewport } from "./viewport.js";
import { said } from "./said.js";

/** @typedef {import("./ladder-draw.js").Picture} Picture */

const LEAST_SCALE = 1e-2;
const MOST_SCALE = 1e8;
/** How near a click must be to a line. */
const NEAR = 13;
const EXPORTED_ROWS = 1000;

export class Ladder {
  draw = onceAFrame(() => this.drawNow());

  /**
   * @param {import("../store.js").Store} store
   * @param {string} recording
   * @param {import("./moment.js").Moment} moment
   * @param {AbortSignal} signal
   */
  constructor(store, recording, moment, signal) {
    this.moment = moment;
    this.title = recording;
    this.kind = "live";
    /** @type {{name: string, addresses: string[]}[]} */
    this.hosts = [];
    /** @type {"kind" | "connection" | "side"} */
    this.colourBy = "kind";
    /** @type {"clock" | "delta"} */
    this.times = "clock";
    /** @type {{from: number, to: number} | null} the rows that are chosen, by their indices */
    this.chosen = null;
    this.isFitted = false;
    this.isPlaced = false;
    /** @type {Picture | null} */
    this.picture = null;
    this.rows = new Rows((what, parameters) => store.ask(what, parameters), recording, () => this.draw());
    this.viewport = new Viewport(this.rows);
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.list = h("div", { class: "unseen", role: "presentation" });
    this.toEnd = h("button", { class: "to-end", hidden: true, onclick: () => this.goToEnd() }, t("ladder.to-end"));
    this.body = h("div", { class: "ladder-body", id: "ladder", tabIndex: 0, role: "listbox", "aria-label": t("ladder.label") }, this.canvas, this.list);
    this.scrollbar = new Scrollbar(t("ladder.scroll"), "ladder", (share) => this.scrollTo(share));
    this.bar = new LadderBar(this);
    this.element = h("div", { class: "ladder" }, this.bar.element, h("div", { class: "ladder-window" }, this.body, this.scrollbar.element, this.toEnd));
    this.listen(signal);
    store.follow("recordings", recording, (entity) => entity && this.hear(entity), signal);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    const watcher = new ResizeObserver(() => this.draw());
    watcher.observe(this.body);
    signal.addEventListener("abort", () => watcher.disconnect());
    document.addEventListener("theme", () => this.draw(), { signal });
    this.body.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("pointerdown", (event) => this.onPointer(event));
    this.body.addEventListener("pointermove", (event) => {
      const box = this.body.getBoundingClientRect();
      this.body.classList.toggle("is-over", this.hit(event.clientX - box.left, event.clientY - box.top) !== null);
    });
    this.moment.on("time", () => this.onTime(), signal);
    this.moment.on("findings", () => this.draw(), signal);
    this.moment.onJump((row) => this.jump(row), signal);
  }

  /** @param {any} entity the recording, as the news tell it */
  hear(entity) {
    this.hosts = entity.hosts;
    this.title = entity.title;
    this.viewport.hosts = entity.hosts.length;
    if (!this.isPlaced) {
      this.isPlaced = true;
      this.kind = entity.kind;
      this.viewport.followsEnd = entity.kind === "live";
      this.viewport.anchor = { index: entity.first, y: TOP };
    }
    this.bar.hear(entity);
    this.rows.setRange(entity.first, entity.rows);
    this.draw();
  }

  /** @param {import("./rows.js").Filter} filter */
  setFilter(filter) {
    this.chosen = null;
    this.rows.setFilter(filter);
    this.viewport.anchor = { index: this.rows.first, y: TOP };
    this.viewport.followsEnd = this.kind === "live";
    this.draw();
  }

  drawNow() {
    const [width, height] = [this.body.clientWidth, this.body.clientHeight];
    if (width === 0 || height === 0 || this.hosts.length === 0) return;
    const { viewport } = this;
    viewport.height = height;
    const placed = viewport.place();
    if (!placed) {
      this.scrollbar.show(viewport.anchor.index - this.rows.first, viewport.visible().length, this.rows.count);
      return;
    }
    if (!this.isFitted && placed.some(({ row }) => row.kind === "frame")) return this.fit();
    const pen = penFor(this.canvas, width, height);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.picture = drawLadder(pen, this.plan(placed, width, height));
    const shown = viewport.visible();
    this.scrollbar.show((shown[0]?.index ?? 0) - this.rows.first, shown.length, this.rows.count);
    this.toEnd.hidden = this.kind !== "live" || viewport.followsEnd;
    this.bar.showScale(viewport.scale);
    this.tellLater();
  }

  /**
   * @param {import("./ladder-layout.js").Placed[]} placed
   * @param {number} width
   * @param {number} height
   * @returns {import("./ladder-draw.js").Plan}
   */
  plan(placed, width, height) {
    const { chosen } = this;
    return {
      width, height, placed, stops: this.viewport.stops, skips: this.viewport.skips,
      hosts: this.hosts, colours: palette(), colourBy: this.colourBy, times: this.times, scale: this.viewport.scale, now: this.moment.time, findings: this.moment.findings,
      isChosen: (index) => chosen !== null && index >= Math.min(chosen.from, chosen.to) && index <= Math.max(chosen.from, chosen.to),
      hasEnd: this.kind !== "live" && placed[placed.length - 1]?.index === this.rows.end - 1,
    };
  }

  /** For screen readers: the visible rows, as options of a list box. */
  tellLater() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const options = this.viewport.visible().map(({ row, index }) =>
        h("div", { role: "option", id: `row-${index}`, "aria-selected": String(this.chosen?.to === index), "aria-setsize": String(this.rows.count), "aria-posinset": String(index - this.rows.first + 1) }, said(row, this.hosts)));
      fill(this.list, options);
      if (this.chosen && options.some((option) => option.id === `row-${this.chosen?.to}`)) this.body.setAttribute("aria-activedescendant", `row-${this.chosen.to}`);
      else this.body.removeAttribute("aria-activedescendant");
    }, 120);
  }

  /** A scale at which what is visible can be seen well. */
  fit() {
    const rows = this.viewport.placed.map(({ row }) => row);
    const scale = fitting(rows);
    if (this.isFitted) this.viewport.zoom(scale);
    else {
      this.viewport.scale = scale;
      this.viewport.anchor = { index: this.rows.first, y: TOP };
    }
    this.isFitted = true;
    this.drawNow();
    this.onTime();
  }

  /**
   * @param {number} factor
   * @param {number} [y]
   */
  zoom(factor, y) {
    const follows = this.viewport.followsEnd;
    this.viewport.zoom(Math.max(LEAST_SCALE, Math.min(MOST_SCALE, this.viewport.scale * factor)), y);
    this.viewport.followsEnd = follows;
    this.draw();
  }

  goToEnd() {
    this.viewport.followsEnd = true;
    this.draw();
    this.body.focus();
  }

  /** @param {number} share */
  scrollTo(share) {
    const visible = this.viewport.visible().length;
    this.viewport.followsEnd = share >= 1 && this.kind === "live";
    if (share >= 1) this.viewport.anchor = { index: this.rows.end - 1, y: this.body.clientHeight - 48 };
    else this.viewport.anchor = { index: this.rows.first + Math.round(share * Math.max(0, this.rows.count - visible)), y: TOP };
    this.draw();
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 24 : event.deltaY;
    if (event.ctrlKey || event.metaKey) {
      this.zoom(Math.exp(-pixels / 240), event.clientY - this.body.getBoundingClientRect().top);
      return;
    }
    this.viewport.scroll(pixels);
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const page = Math.max(1, this.viewport.visible().length - 2);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key === "Escape") this.choose(null);
    else if (event.key in steps) {
      const { rows, viewport } = this;
      const from = this.chosen?.to ?? (viewport.visible()[0]?.index ?? rows.first) - (steps[event.key] > 0 ? 1 : 0);
      const index = Math.max(rows.first, Math.min(rows.end - 1, from + steps[event.key]));
      viewport.show(index);
      this.choose(index, event.shiftKey);
      if (event.key === "End" && this.kind === "live") viewport.followsEnd = true;
    } else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  onPointer(event) {
    if (event.button !== 0) return;
    const start = { x: event.clientX, y: event.clientY };
    let last = event.clientY;
    let isDrag = false;
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      if (!isDrag && Math.abs(moved.clientY - start.y) < 6) return;
      if (!isDrag) this.body.setPointerCapture(event.pointerId);
      isDrag = true;
      this.viewport.scroll(last - moved.clientY);
      last = moved.clientY;
      this.draw();
    };
    /** @param {PointerEvent} up */
    const end = (up) => {
      this.body.removeEventListener("pointermove", move);
      this.body.removeEventListener("pointerup", end);
      this.body.removeEventListener("pointercancel", end);
      if (!isDrag && up.type === "pointerup") this.onClick(up);
    };
    this.body.addEventListener("pointermove", move);
    this.body.addEventListener("pointerup", end);
    this.body.addEventListener("pointercancel", end);
  }

  /** @param {PointerEvent} event */
  onClick(event) {
    const box = this.body.getBoundingClientRect();
    const hit = this.hit(event.clientX - box.left, event.clientY - box.top);
    if (hit?.jump !== undefined) this.jump(hit.jump);
    else this.choose(hit ? hit.index : null, event.shiftKey);
  }

  /**
   * What is at a place.
   * @param {number} x
   * @param {number} y
   */
  hit(x, y) {
    if (y < HEAD) return null;
    /** @type {import("./ladder-draw.js").Hit | null} */
    let best = null;
    let nearest = NEAR;
    for (const hit of this.picture?.hits ?? []) {
      // The words stand above the line: they belong to it.
      const distance = away(x, y + 4, hit.from, hit.to) + (hit.jump === undefined ? 0 : 4);
      if (distance < nearest) [best, nearest] = [hit, distance];
    }
    return best;
  }

  /**
   * @param {number | null} index
   * @param {boolean} [isMore] whether what is chosen already stays so
   */
  async choose(index, isMore = false) {
    this.chosen = index === null ? null : { from: isMore && this.chosen ? this.chosen.from : index, to: index };
    this.draw();
    if (index === null) return this.moment.look(null);
    const row = this.rows.at(index) ?? (await this.rows.fetch(Math.floor(index / PAGE)), this.rows.at(index));
    if (row && this.chosen?.to === index) this.moment.look(row);
  }

  /** @param {number} number of a row */
  async jump(number) {
    const known = this.viewport.placed.find(({ row }) => row.row === number);
    const index = known?.index ?? (await this.rows.indexOf(number));
    this.viewport.show(index);
    await this.choose(index);
  }

  /** The moment has moved: it stays visible. */
  async onTime() {
    const { time } = this.moment;
    this.draw();
    if (time === null || !this.picture) return;
    const { placed } = this.viewport;
    const [first, last] = [placed[0], placed[placed.length - 1]];
    const height = this.body.clientHeight;
    if (first && time >= first.row.time && time <= last.row.time) {
      const y = this.picture.yOf(time);
      if (y < HEAD + 60) this.viewport.scroll(y - height * 0.4);
      else if (y > height * 0.72) this.viewport.scroll(y - height * 0.72);
      else return;
      this.viewport.followsEnd = false;
      return;
    }
    const { index } = await this.rows.ask("recording.find", { recording: this.rows.recording, time, filter: this.rows.filter });
    if (this.moment.time === time) this.viewport.show(Math.min(index, this.rows.end - 1), height * 0.55);
    this.draw();
  }

  /** The rows that are chosen, or else what is visible, as a file. @param {"svg" | "png"} form */
  async save(form) {
    const width = Math.max(900, this.body.clientWidth);
    let [placed, height] = [this.viewport.visible(), this.body.clientHeight];
    let places = { stops: this.viewport.stops, skips: this.viewport.skips };
    if (this.chosen && this.chosen.from !== this.chosen.to) {
      const from = Math.min(this.chosen.from, this.chosen.to);
      const count = Math.min(EXPORTED_ROWS, Math.abs(this.chosen.to - this.chosen.from) + 1);
      /** @type {import("./rows.js").Row[]} */
      const rows = [];
      while (rows.length < count) {
        const answer = await this.rows.ask("recording.rows", { recording: this.rows.recording, from: from + rows.length, count: Math.min(500, count - rows.length), filter: this.rows.filter });
        if (answer.rows.length === 0) break;
        rows.push(...answer.rows);
      }
      const { tops, stops, skips } = layOut(rows, this.viewport.scale, this.hosts.length);
      const top = HEAD + 26;
      placed = rows.map((row, place) => ({ row, index: from + place, y: top + tops[place] }));
      places = { stops: stops.map(({ time, y }) => ({ time, y: top + y })), skips: skips.map(({ y, seconds }) => ({ y: top + y, seconds })) };
      height = (placed[placed.length - 1]?.y ?? 0) + 60;
    }
    const plan = { ...this.plan(placed, width, height), ...places, isChosen: () => false };
    const name = this.title.replace(/[^\p{L}\p{N}.-]+/gu, "-") || "ladder";
    if (form === "svg") {
      const pen = new SvgPen(width, height, plan.colours.sheet);
      drawLadder(pen, plan);
      download(`${name}.svg`, new Blob([pen.toString()], { type: "image/svg+xml" }));
      return;
    }
    const canvas = document.createElement("canvas");
    const pen = penFor(canvas, width, height);
    pen.rect(0, 0, width, height, { fill: plan.colours.sheet });
    drawLadder(pen, plan);
    canvas.toBlob((content) => content && download(`${name}.png`, content), "image/png");
  }
}

/**
 * How far a place is from a line.
 * @param {number} x
 * @param {number} y
 * @param {number[]} from
 * @param {number[]} to
 */
function away(x, y, from, to) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const share = Math.max(0, Math.min(1, ((x - from[0]) * dx + (y - from[1]) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - from[0] - share * dx, y - from[1] - share * dy);
}
