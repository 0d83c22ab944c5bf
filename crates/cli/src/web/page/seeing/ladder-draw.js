// A picture of a ladder: lifelines, frames between them, calls and states beside them, the time at the left.

import { t, told } from "../i18n.js";
import { drawFrame, drawWayBack, drawWords } from "./ladder-frame.js";
import { SKIPPED, yOf } from "./ladder-layout.js";
import { noteText } from "./note.js";
import { clock, span } from "./span.js";
import { widthOf } from "./pen.js";

/** @typedef {import("./ladder-layout.js").Placed} Placed */
/** @typedef {import("./pen.js").Pen} Pen */
/** @typedef {{index: number, jump?: number, from: number[], to: number[]}} Hit */

/**
 * @typedef {object} Plan what is to be drawn
 * @property {number} width
 * @property {number} height
 * @property {Placed[]} placed
 * @property {import("./ladder-layout.js").Stop[]} stops
 * @property {import("./ladder-layout.js").Skip[]} skips
 * @property {{name: string, addresses: string[]}[]} hosts
 * @property {import("./pen.js").Palette} colours
 * @property {"kind" | "connection" | "side"} colourBy
 * @property {"clock" | "delta"} times
 * @property {number} scale pixels in a second
 * @property {number | null} now the moment that is shown, if not the end
 * @property {Map<number, string>} findings the severity of what was found about rows, by their numbers
 * @property {(index: number) => boolean} isChosen
 * @property {boolean} hasEnd whether the last row is the last one there is
 */
/**
 * @typedef {Plan & {xs: number[], isNarrow: boolean, hits: Hit[], head: number, travel: number, edge: number,
 *   yOf: (time: number) => number, placedRow: (row: number) => number | null}} Picture
 */

/** The height of the lifelines' heads. */
export const HEAD = 44;

/**
 * Draws, and says where what can be clicked is.
 * @param {Pen} pen
 * @param {Plan} plan
 * @returns {Picture}
 */
export function drawLadder(pen, plan) {
  const picture = arrange(plan);
  const { placed, colours, width, height, now } = picture;
  const chosen = placed.filter(({ index }) => picture.isChosen(index));
  if (chosen.length > 0) pen.rect(0, chosen[0].y - 13, width, chosen[chosen.length - 1].y - chosen[0].y + 24, { fill: colours["accent-soft"], alpha: 0.75 });
  lifelines(pen, picture);
  if (now !== null) pen.line([[picture.edge - 8, picture.yOf(now)], [width, picture.yOf(now)]], { color: colours.accent, width: 1.5, alpha: 0.6 });
  const frames = placed.filter(({ row }) => row.kind === "frame");
  frames.filter(({ row }) => row.first !== undefined && row.first !== null).forEach((one, place) => drawWayBack(pen, one, picture, place));
  for (const one of frames) drawFrame(pen, one, picture);
  for (const one of frames) if (one.y > 0 && one.y < height + 40) drawWords(pen, one, picture);
  for (const one of placed) if (one.row.kind !== "frame") drawBeside(pen, one, picture);
  times(pen, picture);
  for (const skip of picture.skips) skippedMark(pen, skip, picture);
  if (now !== null) nowSign(pen, picture, now);
  heads(pen, picture);
  if (placed.length === 0) pen.text(width / 2, height / 2, t("ladder.empty"), { color: colours["ink-faint"], size: 14, align: "center" });
  return picture;
}

/**
 * @param {number} time
 * @param {boolean} isNarrow
 */
const timeText = (time, isNarrow) => (isNarrow && time < 3600 ? time.toFixed(3) : clock(time));

/**
 * Where everything is.
 * @param {Plan} plan
 * @returns {Picture}
 */
function arrange(plan) {
  const { width, hosts, placed, stops, scale } = plan;
  const isNarrow = width < 640;
  // As wide as the widest time.
  const face = /** @type {"mono"} */ ("mono");
  const shown = placed.filter(({ y }) => y > 0 && y < plan.height);
  const edge = Math.max(isNarrow ? 40 : 72, ...[shown[0], shown[shown.length - 1]].map((one) => (one && plan.times === "clock" ? widthOf(timeText(one.row.time, isNarrow), { face, size: isNarrow ? 10 : 11 }) + 21 : 0)));
  const beside = isNarrow ? 86 : Math.min(250, Math.max(172, width * 0.2));
  const [left, right] = [edge + beside, width - beside - 6];
  const gaps = Math.max(1, hosts.length - 1);
  const xs = hosts.map((_, place) => left + ((right - left) * place) / gaps);
  /** @type {Map<number, number>} */
  const byRow = new Map(placed.map(({ row, y }) => [row.row, y]));
  const travels = placed.filter(({ row }) => row.kind === "frame" && row.arrives).map(({ row }) => row.arrives - row.time);
  return {
    ...plan, isNarrow, edge, xs, hits: [], head: HEAD,
    travel: travels[travels.length >> 1] ?? 0,
    yOf: (time) => yOf(stops, time, scale),
    placedRow: (row) => byRow.get(row) ?? null,
  };
}

/**
 * @param {Pen} pen
 * @param {Picture} picture
 */
function lifelines(pen, { xs, placed, skips, height, colours, hasEnd }) {
  const pauses = [...skips].sort((a, b) => a.y - b.y);
  const bottom = hasEnd && placed.length > 0 ? Math.min(height, placed[placed.length - 1].y + 60) : height;
  for (const x of xs) {
    let top = HEAD;
    for (const { y } of pauses) {
      const [before, after] = [y - SKIPPED + 10, y - 14];
      if (before > top) pen.line([[x, top], [x, before]], { color: colours["line-strong"], width: 1.5 });
      pen.line([[x, Math.max(top, before)], [x, after]], { color: colours["line-strong"], width: 1.5, dash: [1.5, 4] });
      top = after;
    }
    if (bottom > top) pen.line([[x, top], [x, bottom]], { color: colours["line-strong"], width: 1.5 });
  }
}

/**
 * @param {Pen} pen
 * @param {Picture} picture
 */
function heads(pen, { xs, hosts, width, colours, isNarrow, edge }) {
  pen.rect(0, 0, width, HEAD - 4, { fill: colours.sheet });
  pen.line([[0, HEAD - 4], [width, HEAD - 4]], { color: colours.line });
  if (!isNarrow) pen.text(edge - 12, 25, t("ladder.time"), { size: 11, color: colours["ink-faint"], align: "right" });
  hosts.forEach(({ name, addresses }, place) => {
    const x = xs[place];
    const wide = Math.max(widthOf(name, { size: 13, weight: 650 }), widthOf(addresses.join(" "), { face: "mono", size: 10.5 })) + 22;
    const room = hosts.length > 1 ? xs[1] - xs[0] - 8 : wide;
    const box = Math.min(wide, room, isNarrow ? 116 : wide);
    const most = box - 10;
    pen.rect(x - box / 2, 3, box, HEAD - 11, { fill: colours.raised, stroke: colours["line-strong"], radius: 6 });
    pen.text(x, 17, name, { size: 13, weight: 650, align: "center", color: colours.ink, most });
    pen.text(x, 30, addresses.join(" "), { face: "mono", size: 10.5, align: "center", color: colours["ink-soft"], most });
  });
}

/**
 * @param {Pen} pen
 * @param {Picture} picture
 */
function times(pen, { placed, edge, colours, times, isNarrow, now, findings }) {
  let last = -Infinity;
  /** @type {number | null} */
  let before = null;
  for (const { row, y } of placed) {
    const text = times === "clock" ? timeText(row.time, isNarrow) : before === null ? "" : `+${span(row.time - before)}`;
    before = row.time;
    const severity = findings.get(row.row);
    if (severity && (now === null || row.time <= now)) pen.circle(edge - 4, y, 3, { fill: colours[severity === "note" ? "sent" : severity] });
    if (y < last + 14) continue;
    last = y;
    const alpha = now !== null && row.time > now ? 0.35 : 1;
    pen.text(edge - 12, y + 4, text, { face: "mono", size: isNarrow ? 10 : 11, color: colours["ink-faint"], align: "right", alpha, most: edge - 14 });
  }
}

/**
 * @param {Pen} pen
 * @param {import("./ladder-layout.js").Skip} skip
 * @param {Picture} picture
 */
function skippedMark(pen, { y, seconds }, { xs, colours }) {
  const text = `⋯  ${t("ladder.later", { span: span(seconds) })}  ⋯`;
  const middle = (xs[0] + xs[xs.length - 1]) / 2;
  const wide = widthOf(text, { size: 11.5 }) + 24;
  pen.rect(middle - wide / 2, y - SKIPPED / 2 - 13, wide, 20, { fill: colours.raised, radius: 10 });
  pen.text(middle, y - SKIPPED / 2 + 1, text, { size: 11.5, color: colours["ink-soft"], align: "center" });
}

/**
 * @param {Pen} pen
 * @param {Picture} picture
 * @param {number} now
 */
function nowSign(pen, picture, now) {
  const y = picture.yOf(now);
  pen.rect(2, y - 9, picture.edge - 8, 18, { fill: picture.colours.accent, radius: 4 });
  pen.text(picture.edge - 12, y + 4, timeText(now, picture.isNarrow), { face: "mono", size: picture.isNarrow ? 10 : 11, weight: 600, color: picture.colours["accent-ink"], align: "right", most: picture.edge - 14 });
}

/**
 * What stands beside a lifeline, or across all of them.
 * @param {Pen} pen
 * @param {Placed} placed
 * @param {Picture} picture
 */
function drawBeside(pen, { row, index, y }, picture) {
  const { xs, colours, width, edge, hits, now, isNarrow } = picture;
  const alpha = now !== null && row.time > now ? 0.35 : 1;
  hits.push({ index, from: [row.host === 0 || row.host === undefined ? edge : (xs[row.host] ?? edge), y], to: [row.host === undefined || row.host === xs.length - 1 ? width : (xs[row.host] ?? width), y] });
  if (row.host === undefined) {
    const isStep = row.note === "step";
    const text = isStep ? `▸ ${noteText(row)}` : noteText(row);
    const middle = (xs[0] + xs[xs.length - 1]) / 2;
    pen.line([[xs[0], y], [xs[xs.length - 1], y]], { color: colours.line, dash: [4, 4], alpha });
    pen.text(middle, y + 4, text, { size: isNarrow ? 10.5 : 11.5, weight: isStep ? 600 : 400, color: isStep ? colours.accent : colours["ink-soft"], align: "center", halo: colours.sheet, alpha, most: xs[xs.length - 1] - xs[0] - 20 });
    return;
  }
  const x = xs[row.host];
  if (x === undefined) return;
  const outwards = row.host === 0 ? -1 : 1;
  // Beside a host in the middle there are arrows, too.
  const isBetween = row.host > 0 && row.host < xs.length - 1;
  const away = isNarrow ? 9 : 16;
  const room = row.host === 0 ? x - edge - away : row.host === xs.length - 1 ? width - x - away - 2 : (xs[1] - xs[0]) * 0.45;
  /** @type {{text: string, color: string, fill?: string, weight?: number}[]} */
  const parts = saidBeside(row, colours);
  const size = isNarrow ? 9.5 : 11.5;
  pen.circle(x, y, 3, { fill: colours.sheet, stroke: parts[0].color, alpha });
  const pad = isNarrow ? 6 : 10;
  let left = room;
  let at = x + outwards * away;
  for (const { text, color, fill, weight } of parts) {
    const how = { face: /** @type {"mono"} */ ("mono"), size, weight };
    const wide = Math.min(left - (fill ? pad : 0), widthOf(text, how));
    if (wide < 14) break;
    const box = wide + (fill ? pad : 0);
    const start = outwards > 0 ? at : at - box;
    if (isBetween) pen.rect(start - 3, y - 10, box + 6, 20, { fill: colours.sheet });
    if (fill) pen.rect(start, y - 9, box, 18, { fill, radius: 4, alpha });
    pen.text(start + (fill ? pad / 2 : 0), y + 4, text, { ...how, color, most: wide + 1, alpha });
    at += outwards * (box + 6);
    left -= box + 6;
  }
}

/**
 * @param {import("./rows.js").Row} row
 * @param {import("./pen.js").Palette} colours
 */
function saidBeside(row, colours) {
  if (row.kind === "state") {
    return [{ text: row.state, color: colours.ink, fill: colours.raised, weight: 650 }, { text: told(`cause.${row.cause}`, {}, row.cause ?? ""), color: colours["ink-faint"] }];
  }
  if (row.kind === "call") return [{ text: callText(row), color: row.error ? colours.error : colours.call }];
  if (row.kind === "recovery") return [{ text: row.words, color: colours.again }];
  return [{ text: `✗ ${row.reason ?? ""}`, color: colours.lost, weight: 600 }, { text: told(`drop.${row.reason}`, {}, row.words ?? ""), color: colours["ink-soft"] }];
}

/**
 * A call as one reads it: `send(5) → 5`.
 * @param {import("./rows.js").Row} row
 */
export function callText(row) {
  const call = `${row.call}(${row.arguments ?? ""})`;
  if (row.error) return `${call} ✗ ${typeof row.error === "string" ? row.error : (row.error.code ?? row.error.words)}`;
  return row.outcome === undefined || row.outcome === null || row.outcome === "" ? call : `${call} → ${row.outcome}`;
}
