// The eleven states of TCP as RFC 9293, section 3.3.2, figure 5 draws them: where they stand, and which ways lead from one to another.

/** Where each state stands: the middle of its box. @type {Record<string, [number, number]>} */
export const PLACES = {
  "CLOSED": [350, 34],
  "LISTEN": [150, 112],
  "SYN-SENT": [550, 112],
  "SYN-RECEIVED": [150, 206],
  "ESTABLISHED": [350, 206],
  "FIN-WAIT-1": [120, 306],
  "CLOSE-WAIT": [580, 306],
  "FIN-WAIT-2": [120, 420],
  "CLOSING": [350, 360],
  "LAST-ACK": [580, 420],
  "TIME-WAIT": [350, 452],
};
export const BOX = { width: 126, height: 32 };
export const SIZE = { width: 700, height: 500 };

/**
 * @typedef {object} Way
 * @property {string} from
 * @property {string} to
 * @property {string} event the key of what leads this way
 * @property {[number, number][]} [via] corners
 * @property {[number, number]} [label] where its words stand
 * @property {"start" | "middle" | "end"} [anchor]
 */

/** @type {Way[]} */
export const WAYS = [
  { from: "CLOSED", to: "LISTEN", event: "listen", label: [226, 62], anchor: "end" },
  { from: "CLOSED", to: "SYN-SENT", event: "connect", label: [474, 62], anchor: "start" },
  { from: "LISTEN", to: "SYN-RECEIVED", event: "syn", label: [142, 163], anchor: "end" },
  { from: "SYN-SENT", to: "SYN-RECEIVED", event: "syn-both", label: [350, 142], anchor: "middle" },
  { from: "SYN-SENT", to: "ESTABLISHED", event: "syn-ack", label: [478, 172], anchor: "start" },
  { from: "SYN-RECEIVED", to: "ESTABLISHED", event: "ack", label: [250, 199], anchor: "middle" },
  { from: "SYN-RECEIVED", to: "FIN-WAIT-1", event: "close", label: [124, 258], anchor: "end" },
  { from: "ESTABLISHED", to: "FIN-WAIT-1", event: "close", label: [254, 243], anchor: "end" },
  { from: "ESTABLISHED", to: "CLOSE-WAIT", event: "fin", label: [478, 252], anchor: "start" },
  { from: "FIN-WAIT-1", to: "FIN-WAIT-2", event: "ack-of-fin", label: [112, 366], anchor: "end" },
  { from: "FIN-WAIT-1", to: "CLOSING", event: "fin", label: [246, 327], anchor: "middle" },
  { from: "FIN-WAIT-1", to: "TIME-WAIT", event: "fin-ack", label: [224, 386], anchor: "end" },
  { from: "FIN-WAIT-2", to: "TIME-WAIT", event: "fin", label: [226, 450], anchor: "middle" },
  { from: "CLOSING", to: "TIME-WAIT", event: "ack-of-fin", label: [358, 410], anchor: "start" },
  { from: "CLOSE-WAIT", to: "LAST-ACK", event: "close", label: [588, 366], anchor: "start" },
  { from: "LAST-ACK", to: "CLOSED", event: "ack-of-fin", via: [[684, 420], [684, 34]], label: [676, 140], anchor: "end" },
  { from: "TIME-WAIT", to: "CLOSED", event: "2msl", via: [[350, 488], [16, 488], [16, 34]], label: [24, 482], anchor: "start" },
];

/**
 * Where the line from one box towards another point leaves it.
 * @param {[number, number]} from
 * @param {[number, number]} towards
 * @returns {[number, number]}
 */
function edge([x, y], [tx, ty]) {
  const [dx, dy] = [tx - x, ty - y];
  const share = Math.min(dx === 0 ? Infinity : BOX.width / 2 / Math.abs(dx), dy === 0 ? Infinity : BOX.height / 2 / Math.abs(dy));
  return [x + dx * share, y + dy * share];
}

/**
 * The points of a way, from the edge of one box to that of the other.
 * @param {Way} way
 * @returns {[number, number][]}
 */
export function pointsOf(way) {
  const [from, to] = [PLACES[way.from], PLACES[way.to]];
  const corners = way.via ?? [];
  return [edge(from, corners[0] ?? to), ...corners, edge(to, corners[corners.length - 1] ?? from)];
}
