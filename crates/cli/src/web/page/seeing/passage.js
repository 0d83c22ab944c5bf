// How a player goes through time: what happens takes its time, and what does not happen takes little.

/** Longer than this a lesson does not play, in seconds at normal speed. */
const LONGEST = 100;

/**
 * How long the way from one row to the next takes: two hours twice as long as a millisecond.
 * @param {number} seconds
 */
function effort(seconds) {
  return seconds <= 0 ? 0.03 : 0.15 + 0.15 * Math.log10(1 + seconds * 1e6);
}

export class Passage {
  /** @param {number[]} times of the rows, in order */
  constructor(times) {
    this.times = [];
    /** @type {number[]} */
    this.marks = [];
    let mark = 0;
    for (const time of times) {
      const before = this.times[this.times.length - 1];
      if (before !== undefined && time <= before) continue;
      if (before !== undefined) mark += effort(time - before);
      this.times.push(time);
      this.marks.push(mark);
    }
    if (mark > LONGEST) this.marks = this.marks.map((one) => (one * LONGEST) / mark);
  }

  /** Seconds that the whole takes to play. */
  get length() {
    return this.marks[this.marks.length - 1] ?? 0;
  }

  /** @param {number} mark */
  timeAt(mark) {
    return between(this.marks, this.times, mark);
  }

  /** @param {number} time */
  markAt(time) {
    return between(this.times, this.marks, time);
  }
}

/**
 * What belongs to a value, on the line through the points.
 * @param {number[]} from
 * @param {number[]} to
 * @param {number} value
 */
function between(from, to, value) {
  let [low, high] = [0, from.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (from[middle] < value) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return to[0] ?? 0;
  if (low === from.length) return to[to.length - 1];
  const share = (value - from[low - 1]) / (from[low] - from[low - 1]);
  return to[low - 1] + share * (to[low] - to[low - 1]);
}
