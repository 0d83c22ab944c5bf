// Where the rows of a ladder stand. Time runs downwards, but never so fast that words overlap, and never so slowly that there is
// nothing to see: a longer pause is skipped, and the mark says how long it was.

/** @typedef {import("./rows.js").Row} Row */

/** Between two rows in the same column. */
const APART = 24;
/** A pause that would be higher than this is skipped. */
const HIGHEST_PAUSE = 150;
/** What is not farther apart than this, by the time alone, happens at once. */
const AT_ONCE = 3;
/** What a skipped pause is high. */
export const SKIPPED = 46;

/**
 * Rows of a page, laid out one after the other. All places are counted from the first row's.
 * @typedef {object} Layout
 * @property {Row[]} rows
 * @property {number[]} tops where each row stands
 * @property {number} height
 * @property {Stop[]} stops in the order of time
 * @property {Skip[]} skips
 */
/** @typedef {{time: number, y: number}} Stop where a time stands: that of a row, or of an arrival */
/** @typedef {{y: number, seconds: number}} Skip a pause that is skipped, by where it ends */

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
  /** @type {Layout} */
  const layout = { rows, tops: [], height: 0, stops: [], skips: [] };
  /** @type {number[]} arrivals that are still to come, the next one last */
  let coming = [];
  let top = 0;
  let lowest = -APART;
  let lastForAll = -APART;
  /** @type {number | null} */
  let before = null;
  /** @param {number} time */
  const goOn = (time) => {
    if (before !== null) {
      const { pixels, isSkipped } = pause(time - before, scale);
      top += pixels;
      if (isSkipped) {
        top = Math.max(top, lowest + SKIPPED);
        layout.skips.push({ y: top, seconds: time - before });
      }
    }
    before = time;
  };
  for (const row of rows) {
    if (!row) {
      layout.tops.push(top);
      continue;
    }
    // An arrival has its place too: what follows long after it does not draw it down.
    while (coming.length > 0 && coming[coming.length - 1] < row.time) {
      const arrival = /** @type {number} */ (coming.pop());
      goOn(arrival);
      // Where the answer follows at once, the arrow shall end beside it.
      if ((row.time - arrival) * scale >= AT_ONCE) layout.stops.push({ time: arrival, y: top });
    }
    goOn(row.time);
    const mine = columns(row, hosts);
    if (mine === null) {
      top = Math.max(top, lowest + APART);
      lastForAll = top;
    } else {
      for (const column of mine) top = Math.max(top, (taken.get(column) ?? -APART) + APART, lastForAll + APART);
      for (const column of mine) taken.set(column, top);
    }
    lowest = Math.max(lowest, top);
    layout.tops.push(top);
    layout.stops.push({ time: row.time, y: top });
    if (row.arrives > row.time) coming = insert(coming, row.arrives);
  }
  layout.height = top;
  return layout;
}

/**
 * Puts a time among others, of which the first one comes last.
 * @param {number[]} times
 * @param {number} time
 */
function insert(times, time) {
  let place = times.length;
  while (place > 0 && times[place - 1] < time) place -= 1;
  times.splice(place, 0, time);
  return times;
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

/** @typedef {{row: Row, index: number, y: number}} Placed */

/**
 * Where a time is: between its neighbours, and behind the last of them by its distance.
 * @param {Stop[]} stops
 * @param {number} time
 * @param {number} scale
 */
export function yOf(stops, time, scale) {
  let [low, high] = [0, stops.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stops[middle].time < time) low = middle + 1;
    else high = middle;
  }
  if (low === stops.length) {
    const last = stops[stops.length - 1];
    return last ? last.y + Math.min(HIGHEST_PAUSE, Math.max(0, (time - last.time) * scale)) : 0;
  }
  const after = stops[low];
  const before = stops[low - 1];
  if (!before) return after.y;
  const share = (time - before.time) / (after.time - before.time || 1);
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
