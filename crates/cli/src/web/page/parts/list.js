// A list of any length, of which only what is visible exists. Its rows are asked for in pages, and forgotten again.
//
// Rows are known by their index. Where old rows go and new ones come, as in a log of bounded size, the indices go on and `first`
// says from where on there are any: so no row changes its index, and what is known of it stays known.

import { onceAFrame } from "./frame.js";
import { h } from "../dom.js";

const PAGE = 200;
const PAGES_KEPT = 12;
/** Browsers do not make elements higher than some 33 million pixels. */
const HIGHEST = 16_000_000;

let lists = 0;

/**
 * @typedef {object} ListOptions
 * @property {string} label for screen readers
 * @property {number} rowHeight in pixels
 * @property {(from: number, count: number) => Promise<any[]>} fetch rows by index; only of those that there are
 * @property {(row: any, index: number) => HTMLElement} render an element of the row's height
 * @property {(row: any, index: number) => void} [onSelect]
 * @property {(isAtEnd: boolean) => void} [onFollow] whether the newest row is kept in view
 */

/**
 * @typedef {object} Page
 * @property {any[]} rows by their place in the page
 * @property {boolean} isAsked
 * @property {boolean} isStale known once, but to be asked for again
 * @property {number} until the end of the list when it was asked for: it is not asked again for rows that were not there
 */

export class List {
  draw = onceAFrame(() => this.drawNow());

  /** @param {ListOptions} options */
  constructor(options) {
    this.options = options;
    this.first = 0;
    this.count = 0;
    /** @type {Map<number, Page>} in the order of their last answer */
    this.pages = new Map();
    this.generation = 0;
    this.selected = -1;
    this.followsEnd = true;
    /** The end of what has been answered. */
    this.knownEnd = 0;
    /** How many rows what is shown is behind the end. */
    this.lag = 0;
    this.name = `list-${++lists}`;
    /** @type {Map<number, {row: any, element: HTMLElement}>} what is shown */
    this.items = new Map();
    this.runway = h("div", { class: "runway" });
    this.element = h(
      "div",
      { class: "list", tabIndex: 0, role: "listbox", "aria-label": options.label, style: { "--row": `${options.rowHeight}px` } },
      this.runway,
    );
    this.element.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    // By its place: the element under the pointer may be another one by the time the button is let go.
    this.runway.addEventListener("click", (event) => {
      const { top } = this.element.getBoundingClientRect();
      this.select(Math.floor(this.top - this.lag + (event.clientY - top) / options.rowHeight));
    });
    this.watcher = new ResizeObserver(() => {
      if (this.followsEnd) this.element.scrollTop = this.element.scrollHeight;
      else if (this.items.has(this.selected)) this.reveal(this.selected);
      this.draw();
    });
    this.watcher.observe(this.element);
  }

  /**
   * There are so many rows now. With `isNew` the old ones are worth nothing any more.
   * @param {number} count
   * @param {boolean} [isNew]
   */
  setCount(count, isNew = false) {
    this.setRange(0, count, isNew);
  }

  /**
   * There are `count` rows now, from `first` on.
   * @param {number} first
   * @param {number} count
   * @param {boolean} [isNew]
   */
  setRange(first, count, isNew = false) {
    if (isNew || first < this.first || first + count < this.first + this.count) {
      // What was known stays in view until the answer is there.
      for (const page of this.pages.values()) page.isStale = true;
      this.generation += 1;
    }
    const { rowHeight } = this.options;
    const gone = first - this.first;
    this.first = first;
    this.count = count;
    // Of another list nothing is known; and the end may have come nearer.
    this.knownEnd = Math.max(first, Math.min(this.knownEnd, first + count));
    this.runway.style.height = `${Math.min(count * rowHeight, HIGHEST)}px`;
    if (this.followsEnd) this.element.scrollTop = this.element.scrollHeight;
    else if (gone > 0 && count * rowHeight <= HIGHEST) this.element.scrollTop -= gone * rowHeight;
    this.draw();
  }

  /** The end: one more than the last index. */
  get end() {
    return this.first + this.count;
  }

  /** The index of the first visible row, and the part of it that is above. */
  get top() {
    const { rowHeight } = this.options;
    const full = this.count * rowHeight;
    if (full <= HIGHEST) return this.first + this.element.scrollTop / rowHeight;
    const range = HIGHEST - this.element.clientHeight;
    return this.first + (this.element.scrollTop / range) * (this.count - this.element.clientHeight / rowHeight);
  }

  /** @param {number} index */
  scrollTo(index) {
    const { rowHeight } = this.options;
    const visible = this.element.clientHeight / rowHeight;
    const first = Math.max(0, index - this.first - Math.floor(visible / 2));
    const full = this.count * rowHeight;
    this.follow(false);
    this.element.scrollTop = full <= HIGHEST ? first * rowHeight : (first / (this.count - visible)) * (HIGHEST - this.element.clientHeight);
    this.draw();
  }

  /** Shows the newest row, and those that come. */
  scrollToEnd() {
    this.follow(true);
    this.element.scrollTop = this.element.scrollHeight;
    this.draw();
  }

  /** @param {boolean} isAtEnd */
  follow(isAtEnd) {
    if (this.followsEnd === isAtEnd) return;
    this.followsEnd = isAtEnd;
    this.options.onFollow?.(isAtEnd);
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    this.follow(scrollTop + clientHeight >= scrollHeight - this.options.rowHeight);
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const visible = Math.floor(this.element.clientHeight / this.options.rowHeight);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: visible, PageUp: -visible, Home: -this.count, End: this.count };
    if (!(event.key in steps) || this.count === 0 || event.target !== this.element) return;
    event.preventDefault();
    const from = this.selected < this.first ? Math.floor(this.top) - 1 : this.selected;
    this.select(from + steps[event.key]);
  }

  /** @param {number} wanted */
  async select(wanted) {
    if (this.count === 0) return;
    const index = Math.max(this.first, Math.min(this.end - 1, wanted));
    this.selected = index;
    // Who looks at one of them does not want to be taken away from it by those that come.
    if (index !== this.end - 1) this.follow(false);
    this.reveal(index);
    this.draw();
    const row = await this.row(index);
    if (row !== undefined && this.selected === index) this.options.onSelect?.(row, index);
  }

  /**
   * Brings a row into view: by as little as needed where it is near, to the middle where it is not.
   * @param {number} index
   */
  reveal(index) {
    const { top } = this;
    const visible = this.element.clientHeight / this.options.rowHeight;
    const below = index + 1 - (top + visible);
    const distance = index < top ? index - top : Math.max(0, below);
    if (Math.abs(distance) > visible || this.count * this.options.rowHeight > HIGHEST) {
      if (distance !== 0) this.scrollTo(index);
    } else if (distance !== 0) {
      this.element.scrollTop += distance * this.options.rowHeight;
    }
  }

  unselect() {
    this.selected = -1;
    this.draw();
  }

  /** @param {number} index */
  known(index) {
    return this.pages.get(Math.floor(index / PAGE))?.rows[index % PAGE];
  }

  /** @param {number} index */
  async row(index) {
    return this.known(index) ?? (await this.options.fetch(index, 1))[0];
  }

  /**
   * Asks for a page, unless that has been done and nothing is new since.
   * @param {number} number
   */
  ask(number) {
    const page = this.pages.get(number) ?? { rows: [], isAsked: false, isStale: true, until: -1 };
    if (page.isAsked || (!page.isStale && page.until >= Math.min(this.end, (number + 1) * PAGE))) return;
    this.pages.set(number, page);
    page.isAsked = true;
    const { generation } = this;
    const known = page.isStale ? 0 : page.rows.length;
    const from = Math.max(number * PAGE + known, this.first);
    const until = Math.min((number + 1) * PAGE, this.end);
    this.options.fetch(from, until - from).then(
      (rows) => {
        page.isAsked = false;
        this.keep(page, rows, from % PAGE);
        page.until = until;
        this.knownEnd = Math.max(this.knownEnd, Math.min(until, this.end));
        // What has changed meanwhile is asked for again; but this is newer than what was there.
        page.isStale = generation !== this.generation;
        this.pages.delete(number);
        this.pages.set(number, page);
        for (const old of this.pages.keys()) {
          if (this.pages.size <= PAGES_KEPT) break;
          this.pages.delete(old);
        }
        this.draw();
      },
      () => {
        page.isAsked = false;
      },
    );
  }

  /**
   * Rows do not change, unless their page is stale: those that are shown stay the same elements.
   * @param {Page} page
   * @param {any[]} rows
   * @param {number} place
   */
  keep(page, rows, place) {
    if (page.isStale) page.rows = [];
    rows.forEach((row, number) => (page.rows[place + number] ??= row));
  }

  drawNow() {
    const { rowHeight } = this.options;
    const visible = this.element.clientHeight / rowHeight;
    this.ask(Math.floor(Math.max(this.first, Math.floor(this.top)) / PAGE));
    this.ask(Math.floor(Math.max(this.first, Math.min(this.end - 1, Math.ceil(this.top + visible))) / PAGE));
    // Where rows come faster than answers, the newest that are known are shown at the end, and not empty places.
    this.lag = this.followsEnd ? Math.max(0, this.end - this.knownEnd) : 0;
    const top = this.top - this.lag;
    const from = Math.max(this.first, Math.floor(top));
    const until = Math.min(this.end - this.lag, Math.ceil(top + visible) + 1);
    /** @type {Map<number, {row: any, element: HTMLElement}>} */
    const items = new Map();
    for (let index = from; index < until; index += 1) {
      const row = this.known(index);
      const before = this.items.get(index);
      const item = before && before.row === row ? before : { row, element: this.make(row, index) };
      item.element.setAttribute("aria-selected", String(index === this.selected));
      item.element.style.transform = `translateY(${this.element.scrollTop + (index - top) * rowHeight}px)`;
      items.set(index, item);
      if (item !== before) {
        if (before) before.element.replaceWith(item.element);
        else this.runway.append(item.element);
      }
    }
    for (const [index, { element }] of this.items) if (!items.has(index)) element.remove();
    this.items = items;
    if (items.has(this.selected)) this.element.setAttribute("aria-activedescendant", `${this.name}-${this.selected}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /**
   * @param {any} row
   * @param {number} index
   */
  make(row, index) {
    const item = row === undefined ? h("div") : this.options.render(row, index);
    item.classList.add("item");
    item.id = `${this.name}-${index}`;
    item.dataset.index = String(index);
    item.setAttribute("role", "option");
    item.setAttribute("aria-posinset", String(index - this.first + 1));
    // There is no saying how many there will be.
    item.setAttribute("aria-setsize", "-1");
    return item;
  }

  /** Makes all that is shown anew, as after a change of how rows are rendered. */
  redraw() {
    for (const { element } of this.items.values()) element.remove();
    this.items.clear();
    this.draw();
  }

  close() {
    this.watcher.disconnect();
  }
}
