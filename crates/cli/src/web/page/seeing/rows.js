// The rows of a recording, as far as they are looked at: asked for in pages, and forgotten again.

/** @typedef {{connection: number | null, hide: string[]}} Filter */
/** @typedef {Record<string, any>} Row */

export const PAGE = 200;
const PAGES_KEPT = 24;
/** Who drags through a long recording passes many pages: the rest is asked for when these are here, if it is still looked at. */
const ASKED_AT_ONCE = 4;
/** A page that still grows is asked for again after so long at the earliest. */
const AGAIN_MS = 90;

export class Rows {
  /**
   * @param {(what: string, parameters: Record<string, any>) => Promise<any>} ask
   * @param {string} recording
   * @param {() => void} onChange
   */
  constructor(ask, recording, onChange) {
    this.ask = ask;
    this.recording = recording;
    this.onChange = onChange;
    /** @type {Filter | null} */
    this.filter = null;
    this.first = 0;
    this.count = 0;
    this.generation = 0;
    /** @type {Map<number, Row[]>} by the number of the page, in the order of their last use */
    this.pages = new Map();
    /** @type {Map<number, Promise<void>>} */
    this.asked = new Map();
    this.lastAsked = 0;
  }

  /** One more than the last index. */
  get end() {
    return this.first + this.count;
  }

  /** @param {Filter} filter */
  setFilter(filter) {
    this.filter = filter.connection === null && filter.hide.length === 0 ? null : filter;
    this.forget();
    if (this.filter) this.fetch(0);
  }

  forget() {
    this.generation += 1;
    this.pages.clear();
    this.asked.clear();
  }

  /**
   * What the news says.
   * @param {number} first
   * @param {number} rows
   */
  setRange(first, rows) {
    const grows = first + rows !== this.toldEnd;
    this.toldEnd = first + rows;
    if (this.filter) {
      // How many pass the filter only an answer says: that about the last page.
      if (grows) this.refresh();
      return;
    }
    this.first = first;
    this.count = rows;
    if (grows) this.refresh();
    this.onChange();
  }

  /** Asks for the page that grows again, if somebody has looked at it. */
  refresh() {
    const last = Math.floor(Math.max(this.first, this.end - 1) / PAGE);
    const wait = AGAIN_MS - (performance.now() - this.lastAsked);
    if (this.timer || (!this.filter && !this.isShort(last) && !this.isShort(last - 1))) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.lastAsked = performance.now();
      const now = Math.floor(Math.max(this.first, this.end - 1) / PAGE);
      for (const page of [now - 1, now]) if (this.isShort(page)) this.fetch(page);
      if (this.filter && !this.isShort(now)) this.fetch(now);
    }, Math.max(0, wait));
  }

  /** @param {number} page */
  isShort(page) {
    const known = this.pages.get(page);
    return known !== undefined && page * PAGE + known.length < (this.filter ? Infinity : this.end) && known.length < PAGE;
  }

  /**
   * The rows of a page; undefined, and asked for, if they are not here. With gaps at the beginning where rows were forgotten.
   * @param {number} page
   * @returns {Row[] | undefined}
   */
  page(page) {
    const known = this.pages.get(page);
    if (known) {
      this.pages.delete(page);
      this.pages.set(page, known);
    } else if (this.asked.size < ASKED_AT_ONCE) {
      this.fetch(page);
    }
    return known;
  }

  /**
   * @param {number} page
   * @returns {Promise<void>}
   */
  fetch(page) {
    const asked = this.asked.get(page) ?? this.get(page);
    this.asked.set(page, asked);
    return asked;
  }

  /** @param {number} page */
  async get(page) {
    const { generation } = this;
    const from = Math.max(page * PAGE, this.filter ? 0 : this.first);
    try {
      const answer = await this.ask("recording.rows", { recording: this.recording, from, count: PAGE - (from - page * PAGE), filter: this.filter });
      if (generation !== this.generation) return;
      this.first = answer.first;
      this.count = answer.count;
      const missing = from - page * PAGE;
      this.pages.delete(page);
      this.pages.set(page, missing > 0 ? [...new Array(missing), ...answer.rows] : answer.rows);
      for (const old of this.pages.keys()) {
        if (this.pages.size <= PAGES_KEPT) break;
        this.pages.delete(old);
      }
      this.onChange();
    } catch {
      // Gone, or the assistant does not answer: the view says so, and whoever looks again asks again.
    } finally {
      if (generation === this.generation) this.asked.delete(page);
    }
  }

  /**
   * The row of an index, if it is here.
   * @param {number} index
   * @returns {Row | undefined}
   */
  at(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /**
   * The index of a row by its number.
   * @param {number} number
   */
  async indexOf(number) {
    if (!this.filter) return number;
    const { rows } = await this.ask("recording.rows", { recording: this.recording, from: number, count: 1, filter: null });
    const { index } = await this.ask("recording.find", { recording: this.recording, time: rows[0]?.time ?? 0, filter: this.filter });
    await this.fetch(Math.floor(index / PAGE));
    for (let near = index; near < index + PAGE; near += 1) {
      const row = this.at(near);
      if (!row || row.row >= number) return near;
    }
    return index;
  }
}
