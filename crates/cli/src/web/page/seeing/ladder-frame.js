// A frame in a ladder: the arrow from host to host, its words, its end, and the way back to its first sending.

import { t, told } from "../i18n.js";
import { widthOf } from "./pen.js";

/** @typedef {import("./ladder-draw.js").Picture} Picture */
/** @typedef {import("./ladder-layout.js").Placed} Placed */
/** @typedef {import("./pen.js").Pen} Pen */

/** Steeper arrows than this have level words, at the sender. */
const STEEPEST = 0.5;
const HEAD = 8;

/**
 * The colour of a frame.
 * @param {import("./rows.js").Row} row
 * @param {Picture} picture
 */
export function colourOf(row, { colours, colourBy }) {
  if (colourBy === "connection") return row.connection ? colours[`series-${((row.connection - 1) % 6) + 1}`] : colours["ink-faint"];
  if (colourBy === "side") return colours[`series-${(row.from % 6) + 1}`];
  if (row.protocol === "UDP") return colours["series-6"];
  if (row.protocol === "ICMP" || row.protocol === "ICMPv6") return colours["series-5"];
  if (row.protocol !== "TCP") return colours["ink-soft"];
  const flags = String(row.flags ?? "");
  if (/RST/.test(flags)) return colours.error;
  if (/SYN|FIN/.test(flags)) return colours["series-4"];
  return /seq \d+:\d+/.test(row.words) ? colours["series-1"] : colours["series-2"];
}

/**
 * The words of a frame, ever shorter.
 * @param {import("./rows.js").Row} row
 */
function wordings(row) {
  const words = row.protocol === "TCP" || String(row.words).startsWith(row.protocol) ? String(row.words) : `${row.protocol} ${row.words}`;
  const plain = words.replace(/ (mss|wscale|sackOK|ts|TS).*$/, "");
  const brief = plain.replace(/ win \d+/, "");
  return [words, plain, brief, brief.replace(/^PSH ACK/, "PSH").replace(/^ACK (?=seq)/, ""), brief.replace(/ ack \d+/, "").replace(/^(PSH )?ACK (?=seq)/, "")];
}

/**
 * The pieces of a frame's words, most important first; as many as there is room for.
 * @param {import("./rows.js").Row} row
 * @param {Picture} picture
 * @param {number} room
 * @param {number} size
 */
function pieces(row, { colours }, room, size) {
  const face = /** @type {"mono"} */ ("mono");
  const more = [];
  if (row.first !== undefined && row.first !== null) more.push({ text: `↻ ${row.again ? told(`again.${row.again}`, {}, row.again) : t("ladder.again")}`, color: colours.again, weight: 600 });
  for (const mark of row.marks ?? []) more.push({ text: told(`mark.${mark}`, {}, mark), color: colours["series-5"], weight: 600 });
  const wanted = more.reduce((sum, { text }) => sum + widthOf(text, { face, size, weight: 600 }) + 10, 0);
  const said = wordings(row);
  const text = said.find((one) => widthOf(one, { face, size }) + wanted <= room) ?? said[said.length - 1];
  if (row.payload) more.push({ text: row.payload, color: colours["ink-soft"], weight: 400 });
  return [{ text, color: colours.ink, weight: 400 }, ...more];
}

/**
 * @param {Pen} pen
 * @param {Placed} placed
 * @param {Picture} picture
 */
export function drawFrame(pen, { row, index, y }, picture) {
  const { xs, colours, hits, now } = picture;
  const colour = colourOf(row, picture);
  const isLater = now !== null && row.time > now;
  const alpha = isLater ? 0.22 : 1;
  const isChosen = picture.isChosen(index);
  const from = xs[row.from] ?? xs[0];
  /** @type {number[]} */
  const targets = row.to?.length ? row.to : [otherSide(row.from, xs.length)];
  for (const target of targets) {
    const to = xs[target] ?? xs[xs.length - 1];
    const drop = row.arrives === null || row.arrives === undefined ? Math.min(16, picture.yOf(row.time + picture.travel) - y) : picture.yOf(row.arrives) - y;
    const sign = Math.sign(to - from) || 1;
    const share = shareOf(row);
    const end = [from + (to - from) * share - (row.lost ? 0 : sign * 2), y + Math.max(0, drop) * share];
    // What is still under way at the moment that is shown ends where it is then.
    let shown = end;
    const isUnderWay = !isLater && now !== null && row.arrives !== null && row.arrives !== undefined && row.arrives > now;
    if (isUnderWay) {
      const way = (now - row.time) / (row.arrives - row.time || 1);
      shown = [from + (end[0] - from) * way, y + (end[1] - y) * way];
      pen.line([[from, y], end], { color: colour, alpha: 0.18, dash: [3, 4] });
    }
    const width = isChosen ? 2.6 : 1.5;
    const color = row.lost ? colours.lost : colour;
    pen.line([[from, y], shown], { color, width, alpha, dash: row.first !== undefined && row.first !== null ? [7, 3] : null });
    if (row.lost) cross(pen, end, sign, row.lost, picture, alpha);
    else if (isUnderWay) pen.circle(shown[0], shown[1], 4.5, { fill: color });
    else arrowHead(pen, [from, y], end, color, alpha);
    if ((row.marks ?? []).includes("duplicated") && !row.lost) arrowHead(pen, [from, y + 7], [end[0], end[1] + 7], color, alpha * 0.6);
    hits.push({ index, from: [from, y], to: end });
  }
  pen.circle(from, y, 2.2, { fill: colour, alpha });
}

/** How far a frame gets on its way to the other lifeline: what is lost ends on it, and what nobody here has heard a little later. @param {any} row */
const shareOf = (row) => (row.lost ? 0.62 : row.to?.length ? 1 : 0.72);

/**
 * @param {number} host
 * @param {number} hosts
 */
const otherSide = (host, hosts) => (host === 0 ? Math.min(1, hosts - 1) : host - 1);

/**
 * What is said of a frame, along its arrow; drawn when all arrows are.
 * @param {Pen} pen
 * @param {Placed} placed
 * @param {Picture} picture
 */
export function drawWords(pen, { row, y }, picture) {
  const { colours, isNarrow, xs, now } = picture;
  const from = xs[row.from] ?? xs[0];
  const to = xs[row.to?.length ? row.to[0] : otherSide(row.from, xs.length)] ?? xs[xs.length - 1];
  const isLater = now !== null && row.time > now;
  const size = isNarrow ? 10.5 : 11.5;
  const sign = Math.sign(to - from) || 1;
  const drop = row.lost || row.arrives === null || row.arrives === undefined ? 0 : Math.max(0, picture.yOf(row.arrives) - y);
  const length = Math.abs(to - from);
  const slope = Math.atan2(drop, length);
  const angle = slope <= STEEPEST ? slope * sign : 0;
  // The reason of a loss stands behind its cross: the words end before it. Those along a slope leave room for those of the answer.
  let room = length * shareOf(row) - (drop > 6 ? Math.max(24, length * 0.3) : 34);
  /** @type {{text: string, color: string, weight: number, width: number}[]} */
  const fitting = [];
  for (const piece of pieces(row, picture, room, size)) {
    const width = Math.min(room, widthOf(piece.text, { face: "mono", size, weight: piece.weight }));
    if (width < 18) break;
    fitting.push({ ...piece, width });
    room -= width + 10;
  }
  const total = fitting.reduce((sum, piece) => sum + piece.width + 10, -10);
  // Along the arrow, counted from the sender; what a sender at the right says ends at it.
  let along = sign > 0 ? 14 : -14 - total;
  for (const { text, color, weight, width } of fitting) {
    const x = from + along * Math.cos(angle);
    const base = y + along * Math.sin(angle) - 4.5;
    /** @type {(right: number, up: number) => number[]} */
    const corner = (right, up) => [x + right * Math.cos(angle) + up * Math.sin(angle), base + right * Math.sin(angle) - up * Math.cos(angle)];
    pen.shape([corner(-3, -2), corner(width + 3, -2), corner(width + 3, size - 1), corner(-3, size - 1)], { fill: colours.sheet, alpha: 0.82 });
    pen.text(x, base, text, { face: "mono", size, weight, color, most: width + 1, angle, alpha: isLater ? 0.45 : 1 });
    along += width + 10;
  }
}

/**
 * @param {Pen} pen
 * @param {number[]} from
 * @param {number[]} to
 * @param {string} fill
 * @param {number} alpha
 */
function arrowHead(pen, from, to, fill, alpha) {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  /** @type {(turn: number) => number[]} */
  const point = (turn) => [to[0] - HEAD * Math.cos(angle + turn), to[1] - HEAD * Math.sin(angle + turn)];
  pen.shape([to, point(0.42), point(-0.42)], { fill, alpha });
}

/**
 * Where a frame was lost, and why.
 * @param {Pen} pen
 * @param {number[]} at
 * @param {number} sign
 * @param {string} why
 * @param {Picture} picture
 * @param {number} alpha
 */
function cross(pen, [x, y], sign, why, { colours, isNarrow }, alpha) {
  const color = colours.lost;
  pen.line([[x - 5, y - 5], [x + 5, y + 5]], { color, width: 2.2, alpha });
  pen.line([[x - 5, y + 5], [x + 5, y - 5]], { color, width: 2.2, alpha });
  pen.text(x + sign * 11, y + 4, told(`lost.${why}`, {}, why), {
    color, size: isNarrow ? 10.5 : 11.5, weight: 600, align: sign > 0 ? "left" : "right", halo: colours.sheet, alpha,
  });
}

/**
 * The line from a frame that is sent again to its first sending, beside the sender's lifeline.
 * @param {Pen} pen
 * @param {Placed} placed
 * @param {Picture} picture
 * @param {number} place how many such lines there are already
 */
export function drawWayBack(pen, { row, y }, picture, place) {
  const { xs, colours, now, head, hits } = picture;
  if (now !== null && row.time > now) return;
  const x = xs[row.from];
  const outwards = row.from === 0 ? -1 : 1;
  const far = x + outwards * (9 + 3 * (place % 2));
  const first = picture.placedRow(row.first);
  const top = first ?? head - 10;
  pen.line([[x, y], [far - outwards * 3, y - 1], [far, y - 5], [far, top + 6], [far - outwards * 3, top + 2], [x + outwards * 4, top]], { color: colours.again, width: 1.3 });
  if (first !== null) pen.shape([[x + outwards * 2, top], [x + outwards * 8, top - 3.5], [x + outwards * 8, top + 3.5]], { fill: colours.again });
  hits.push({ index: -1, jump: row.first, from: [far, top], to: [far, y] });
}
