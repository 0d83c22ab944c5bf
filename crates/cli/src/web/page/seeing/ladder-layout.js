// Where the rows of a ladder stand. Time runs downwards, but never so fast that words overlap, and never so slowly that there is
// nothing to see: a longer pause is skipped, and the mark says how long it was.

/** @typedef {import("./rows.js").Row} Row */

/** Between two rows in the same column. */
const APART = 23;
/** A pause that would be higher than this is skipped. */
const HIGHEST_PAUSE = 150;
/** What a skipped pause is high. */
export const SKIPPED = 46;

/**
 * Rows of a page, laid out one after the other.
 * @typedef {object} Layout
 * @property {Row[]} rows
 * @property {number[]} tops where each row stands, from the first one's place
 * @property {Map<number, number>} skipped seconds that are skipped before a row
 */

/**
 * The columns that a row takes; two rows without a common one may stand side by side.
 * @param {Row} row
 * @param {number} hosts
 * @returns {string[] | null} null for all
 */
function columns(row, hosts) {
  if (row.kind === "frame") return ["between"];
  if (row.host === undefined) return null;
  return row.host === 0 || row.host === hosts - 1 ? [`host${row.host}`] : ["between", `host${row.host}`];
}

/**
 * How far below another a row stands by their times alone.
 * @param {number} seconds
 * @param {number} scale pixels in a second
 * @returns {{pixels: number, isSkipped: boolean}}
 */
export function pause(seconds, scale) {
  const pixels = Math.max(0, seconds) * scale;
  return pixels > HIGHEST_PAUSE ? { pixels: SKIPPED, isSkipped: true } : { pixels, isSkipped: false };
}

/**
 * @param {Row[]} rows
 * @param {number} scale pixels in a second
 * @param {number} hosts
 * @returns {Layout}
 */
export function layOut(rows, scale, hosts) {
  /** @type {Map<string, number>} */
  const taken = new Map();
  const skipped = new Map();
  /** @type {number[]} */
  const tops = [];
  let top = 0;
  let lowest = -APART;
  let lastForAll = -APART;
  /** @type {number | null} */
  let before = null;
  rows.forEach((row, place) => {
    if (!row) {
      tops.push(top);
      return;
    }
    if (before !== null) {
      const { pixels, isSkipped } = pause(row.time - before, scale);
      top += pixels;
      if (isSkipped) {
        top = Math.max(top, lowest + SKIPPED);
        skipped.set(place, row.time - before);
      }
    }
    const mine = columns(row, hosts);
    if (mine === null) {
      top = Math.max(top, lowest + APART);
      lastForAll = top;
    } else {
      for (const column of mine) top = Math.max(top, (taken.get(column) ?? -APART) + APART, lastForAll + APART);
      for (const column of mine) taken.set(column, top);
    }
    lowest = Math.max(lowest, top);
    before = row.time;
    tops.push(top);
  });
  return { rows, tops, skipped };
}

/**
 * How far below the last row of a page the first one of the next stands.
 * @param {Row | undefined} last
 * @param {Row | undefined} first
 * @param {number} scale
 * @returns {{pixels: number, skipped: number | null}}
 */
export function join(last, first, scale) {
  if (!last || !first) return { pixels: APART, skipped: null };
  const { pixels, isSkipped } = pause(first.time - last.time, scale);
  return { pixels: Math.max(APART, pixels), skipped: isSkipped ? first.time - last.time : null };
}

/** A page that is not here is taken to be so high. */
export const GUESSED = APART;

/**
 * @typedef {object} Placed
 * @property {Row} row
 * @property {number} index
 * @property {number} y
 * @property {number | null} skipped seconds that are skipped before it
 */

/**
 * Where a time is among rows: between its neighbours.
 * @param {Placed[]} placed
 * @param {number} time
 * @param {number} scale
 */
export function yOf(placed, time, scale) {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placed[middle].row.time < time) low = middle + 1;
    else high = middle;
  }
  if (low === placed.length) {
    const last = placed[placed.length - 1];
    return last ? last.y + Math.min(60, Math.max(0, (time - last.row.time) * scale)) : 0;
  }
  const after = placed[low];
  const before = placed[low - 1];
  if (!before) return after.y;
  const share = (time - before.row.time) / (after.row.time - before.row.time || 1);
  return before.y + share * (after.y - before.y);
}

/**
 * A scale at which a frame's travel can be seen.
 * @param {Row[]} rows
 */
export function fitting(rows) {
  const travels = rows.filter((row) => row?.kind === "frame" && row.arrives !== null && row.arrives !== undefined).map((row) => row.arrives - row.time);
  travels.sort((a, b) => a - b);
  const usual = travels[travels.length >> 1] ?? 0;
  return 46 / Math.max(usual, 1e-3);
}
