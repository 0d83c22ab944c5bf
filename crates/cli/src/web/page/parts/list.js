// A list of any length, of which only what is visible exists. Its rows are asked for in pages, and forgotten again.

import { h } from "../dom.js";

const PAGE = 200;
const PAGES_KEPT = 12;
/** Browsers do not make elements higher than some 33 million pixels. */
const HIGHEST = 16_000_000;

/**
 * @typedef {object} ListOptions
 * @property {string} label for screen readers
 * @property {number} rowHeight in pixels
 * @property {(from: number, count: number) => Promise<any[]>} fetch rows by index
 * @property {(row: any, index: number) => HTMLElement} render an element of the row's height
 * @property {(row: any, index: number) => void} [onSelect]
 */

export class List {
  /** @param {ListOptions} options */
  constructor(options) {
    this.options = options;
    this.count = 0;
    /** @type {Map<number, any[] | "asked">} pages in the order of their last use */
    this.pages = new Map();
    this.generation = 0;
    this.selected = -1;
    this.followsEnd = true;
    this.runway = h("div", { class: "runway" });
    this.element = h(
      "div",
      { class: "list", tabIndex: 0, role: "listbox", "aria-label": options.label, style: { "--row": `${options.rowHeight}px` } },
      this.runway,
    );
    this.element.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.runway.addEventListener("click", (event) => {
      const item = /** @type {HTMLElement} */ (event.target).closest(".item");
      if (item instanceof HTMLElement && item.dataset.index) this.select(Number(item.dataset.index));
    });
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.element);
  }

  /**
   * There are so many rows now. With `isNew` the old ones are worth nothing any more.
   * @param {number} count
   * @param {boolean} [isNew]
   */
  setCount(count, isNew = false) {
    if (isNew || count < this.count) {
      this.pages.clear();
      this.generation += 1;
    } else if (count > this.count && this.count % PAGE !== 0) {
      // The last page has grown.
      this.pages.delete(Math.floor(this.count / PAGE));
    }
    this.count = count;
    this.runway.style.height = `${Math.min(count * this.options.rowHeight, HIGHEST)}px`;
    if (this.followsEnd) this.element.scrollTop = this.element.scrollHeight;
    this.draw();
  }

  /** The first visible row. */
  get top() {
    const { rowHeight } = this.options;
    const full = this.count * rowHeight;
    if (full <= HIGHEST) return this.element.scrollTop / rowHeight;
    const range = HIGHEST - this.element.clientHeight;
    return (this.element.scrollTop / range) * (this.count - this.element.clientHeight / rowHeight);
  }

  /** @param {number} index */
  scrollTo(index) {
    const { rowHeight } = this.options;
    const visible = this.element.clientHeight / rowHeight;
    const first = Math.max(0, index - Math.floor(visible / 2));
    const full = this.count * rowHeight;
    this.followsEnd = false;
    this.element.scrollTop = full <= HIGHEST ? first * rowHeight : (first / (this.count - visible)) * (HIGHEST - this.element.clientHeight);
    this.draw();
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    this.followsEnd = scrollTop + clientHeight >= scrollHeight - this.options.rowHeight;
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const visible = Math.floor(this.element.clientHeight / this.options.rowHeight);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: visible, PageUp: -visible, Home: -this.count, End: this.count };
    if (!(event.key in steps) || this.count === 0) return;
    event.preventDefault();
    const from = this.selected < 0 ? Math.floor(this.top) - 1 : this.selected;
    this.select(Math.max(0, Math.min(this.count - 1, from + steps[event.key])));
  }

  /** @param {number} index */
  async select(index) {
    this.selected = index;
    const first = this.top;
    const visible = this.element.clientHeight / this.options.rowHeight;
    if (index < first || index > first + visible - 1) this.scrollTo(index);
    this.draw();
    const row = await this.row(index);
    if (row !== undefined && this.selected === index) this.options.onSelect?.(row, index);
  }

  /** @param {number} index */
  async row(index) {
    const page = Math.floor(index / PAGE);
    const known = this.pages.get(page);
    if (Array.isArray(known)) return known[index % PAGE];
    return (await this.options.fetch(index, 1))[0];
  }

  /** @param {number} page */
  ask(page) {
    if (this.pages.has(page)) return;
    this.pages.set(page, "asked");
    const { generation } = this;
    this.options.fetch(page * PAGE, PAGE).then(
      (rows) => {
        if (generation !== this.generation) return;
        this.pages.delete(page);
        this.pages.set(page, rows);
        for (const old of this.pages.keys()) {
          if (this.pages.size <= PAGES_KEPT) break;
          this.pages.delete(old);
        }
        this.draw();
      },
      () => {
        if (generation === this.generation) this.pages.delete(page);
      },
    );
  }

  draw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.drawNow();
    });
  }

  drawNow() {
    const { rowHeight } = this.options;
    const top = this.top;
    const first = Math.max(0, Math.floor(top));
    const last = Math.min(this.count, Math.ceil(top + this.element.clientHeight / rowHeight) + 1);
    const items = [];
    for (let index = first; index < last; index += 1) {
      const page = Math.floor(index / PAGE);
      const rows = this.pages.get(page);
      if (rows === undefined) this.ask(page);
      const row = Array.isArray(rows) ? rows[index % PAGE] : undefined;
      const item = row === undefined ? h("div", { class: "item" }) : this.options.render(row, index);
      item.classList.add("item");
      item.dataset.index = String(index);
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(index === this.selected));
      item.style.transform = `translateY(${this.element.scrollTop + (index - top) * rowHeight}px)`;
      items.push(item);
    }
    this.runway.replaceChildren(...items);
  }

  close() {
    this.watcher.disconnect();
  }
}
