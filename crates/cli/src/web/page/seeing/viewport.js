// Which rows of a ladder are visible, and where. One row is the anchor: it stands where one left it, whatever is above or below
// it, so that the first row of a million costs as much as the last.

import { HEAD } from "./ladder-draw.js";
import { GUESSED, join, layOut } from "./ladder-layout.js";
import { PAGE } from "./rows.js";

/** @typedef {import("./ladder-layout.js").Placed} Placed */
/** @typedef {import("./ladder-layout.js").Layout} Layout */

/** Rows this far above the window are placed too: their arrows may end in it. */
const ABOVE = 700;
const BELOW = 300;
export const TOP = HEAD + 22;
const BOTTOM = 48;

export class Viewport {
  /** @param {import("./rows.js").Rows} rows */
  constructor(rows) {
    this.rows = rows;
    this.hosts = 2;
    this.scale = 0;
    this.height = 400;
    this.anchor = { index: 0, y: TOP };
    this.followsEnd = true;
    /** @type {WeakMap<import("./rows.js").Row[], {layout: Layout, scale: number}>} */
    this.layouts = new WeakMap();
    /** @type {Placed[]} */
    this.placed = [];
    /** @type {import("./ladder-layout.js").Stop[]} */
    this.stops = [];
    /** @type {import("./ladder-layout.js").Skip[]} */
    this.skips = [];
  }

  /**
   * @param {number} page
   * @returns {Layout | null}
   */
  layout(page) {
    if (page < 0 || page * PAGE >= this.rows.end || (page + 1) * PAGE <= this.rows.first) return null;
    const rows = this.rows.page(page);
    if (!rows || rows.length === 0) return null;
    const known = this.layouts.get(rows);
    if (known && known.scale === this.scale) return known.layout;
    const layout = layOut(rows, this.scale, this.hosts);
    this.layouts.set(rows, { layout, scale: this.scale });
    return layout;
  }

  /** Places what is visible; null while the rows are still on their way. */
  place() {
    const { rows } = this;
    if (rows.count === 0) {
      [this.placed, this.stops, this.skips] = [[], [], []];
      return this.placed;
    }
    if (this.followsEnd) this.anchor = { index: rows.end - 1, y: this.height - BOTTOM };
    this.anchor.index = Math.max(rows.first, Math.min(rows.end - 1, this.anchor.index));
    let placed = this.around();
    if (!placed) return null;
    const first = placed[0];
    const last = placed[placed.length - 1];
    let move = 0;
    if (last && last.index >= rows.end - 1 && last.y < this.height - BOTTOM) move = this.height - BOTTOM - last.y;
    if (first && first.index <= rows.first && first.y + move > TOP) move = TOP - first.y;
    if (move !== 0) {
      this.anchor.y += move;
      placed = this.around() ?? placed;
    }
    this.placed = placed;
    const shown = this.visible();
    const held = shown[shown.length >> 1];
    if (held) this.anchor = { index: held.index, y: held.y };
    return placed;
  }

  /** @returns {Placed[] | null} */
  around() {
    const page = Math.floor(this.anchor.index / PAGE);
    const middle = this.layout(page);
    if (!middle) return null;
    const place = Math.min(this.anchor.index - page * PAGE, middle.rows.length - 1);
    const base = this.anchor.y - middle.tops[place];
    /** @type {{page: number, layout: Layout, base: number}[]} */
    const parts = [{ page, layout: middle, base }];
    /** @type {import("./ladder-layout.js").Skip[]} */
    const skips = [];
    for (let upper = parts[0]; upper.base > -ABOVE; upper = parts[0]) {
      const layout = this.layout(upper.page - 1);
      if (!layout) break;
      const { pixels, skipped } = join(layout.rows[layout.rows.length - 1], upper.layout.rows[0], this.scale);
      if (skipped !== null) skips.push({ y: upper.base, seconds: skipped });
      parts.unshift({ page: upper.page - 1, layout, base: upper.base - pixels - layout.height });
    }
    for (let lower = parts[parts.length - 1]; lower.base + lower.layout.height < this.height + BELOW; lower = parts[parts.length - 1]) {
      const layout = this.layout(lower.page + 1);
      if (!layout) break;
      const { pixels, skipped } = join(lower.layout.rows[lower.layout.rows.length - 1], layout.rows[0], this.scale);
      const top = lower.base + lower.layout.height + pixels;
      if (skipped !== null) skips.push({ y: top, seconds: skipped });
      parts.push({ page: lower.page + 1, layout, base: top });
    }
    const isNear = (/** @type {number} */ y) => y >= -ABOVE && y <= this.height + BELOW;
    this.stops = [];
    this.skips = skips.filter(({ y }) => isNear(y));
    /** @type {Placed[]} */
    const placed = [];
    for (const { page: number, layout, base: top } of parts) {
      layout.rows.forEach((row, at) => {
        const y = top + layout.tops[at];
        if (row && isNear(y)) placed.push({ row, index: number * PAGE + at, y });
      });
      for (const { time, y } of layout.stops) if (isNear(top + y)) this.stops.push({ time, y: top + y });
      for (const { y, seconds } of layout.skips) if (isNear(top + y)) this.skips.push({ y: top + y, seconds });
    }
    return placed;
  }

  visible() {
    return this.placed.filter(({ y }) => y >= HEAD && y <= this.height);
  }

  /** @param {number} pixels down the rows */
  scroll(pixels) {
    if (pixels < 0) this.followsEnd = false;
    this.anchor.y -= pixels;
    // Past what is placed, the distance is guessed by rows.
    const far = this.height + ABOVE;
    if (this.anchor.y < -far || this.anchor.y > far + ABOVE) {
      this.anchor.index -= Math.round((this.anchor.y - this.height / 2) / GUESSED);
      this.anchor.y = this.height / 2;
    }
    this.place();
    const last = this.placed[this.placed.length - 1];
    if (pixels > 0 && last && last.index === this.rows.end - 1 && last.y <= this.height - BOTTOM + 1) this.followsEnd = true;
  }

  /**
   * @param {number} index
   * @param {number} [y] where it shall stand
   */
  show(index, y) {
    const there = this.placed.find((one) => one.index === index);
    if (y === undefined && there && there.y > HEAD + 16 && there.y < this.height - 24) return;
    this.followsEnd = false;
    this.anchor = { index, y: y ?? this.height * 0.4 };
    this.place();
  }

  /**
   * @param {number} scale
   * @param {number} [y] what stays where it is
   */
  zoom(scale, y = this.height / 2) {
    const shown = this.visible();
    const held = shown.reduce((best, one) => (!best || Math.abs(one.y - y) < Math.abs(best.y - y) ? one : best), shown[0]);
    this.scale = scale;
    if (held) this.anchor = { index: held.index, y: held.y };
    this.followsEnd = false;
    this.place();
  }
}
