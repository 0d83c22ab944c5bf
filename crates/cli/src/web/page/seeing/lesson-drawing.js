// A small drawing for each lesson: what its ladder looks like from afar.

import { s } from "../dom.js";

/**
 * Arrows as `from y, to y, kind`: to the right where the first is positive, to the left where it is negative; `x` is lost, `a` again.
 * @type {Record<string, [number, number, string?][]>}
 */
const DRAWINGS = {
  "handshake": [[8, 18], [-22, 32], [36, 46]],
  "refused": [[14, 24], [-30, 40, "r"]],
  "simultaneous-open": [[8, 22], [-8, 22], [-30, 44], [30, 44]],
  "close": [[6, 14], [-16, 24], [-30, 38], [40, 48]],
  "simultaneous-close": [[8, 22], [-8, 22], [30, 44], [-30, 44]],
  "reset": [[8, 16], [-20, 28], [32, 40], [-42, 50, "r"]],
  "time-wait": [[-8, 18], [20, 30], [40, 48, "a"]],
  "keepalive": [[6, 12], [-14, 20], [34, 40, "x"], [44, 50, "x"]],
  "sticky": [[14, 22], [19, 27], [-40, 48]],
  "nagle": [[8, 14], [-28, 34], [36, 42], [-44, 50]],
  "zero-window": [[6, 14], [12, 20], [-24, 32, "r"], [36, 42], [-44, 50]],
  "retransmission": [[6, 12, "x"], [14, 20, "x"], [25, 31, "x"], [42, 48, "a"]],
  "fast-retransmit": [[6, 14], [11, 17, "x"], [16, 24], [-26, 34], [38, 46, "a"]],
  "slow-start": [[6, 16], [-18, 26], [27, 37], [30, 40], [-40, 48], [-43, 51]],
  "backlog": [[6, 14], [-15, 23], [26, 32, "x"], [36, 42, "x"], [46, 52, "a"]],
  "syn-flood": [[6, 14], [11, 19], [16, 24], [21, 29], [26, 34], [-38, 46]],
  "arp": [[12, 20], [-22, 30], [38, 46, "a"]],
  "gateway": [[10, 18], [-22, 30], [34, 42]],
  "mtu": [[8, 14, "x"], [-18, 24, "r"], [30, 38, "a"], [36, 44, "a"]],
  "udp": [[12, 20], [24, 30, "x"], [36, 44]],
};
const USUAL = /** @type {[number, number, string?][]} */ ([[10, 18], [-22, 30, "x"], [34, 42, "a"]]);

/** @param {string} name */
export function drawingOf(name) {
  const arrows = (DRAWINGS[name] ?? USUAL).map(([from, to, kind = ""]) => {
    const y = Math.abs(from);
    const [start, end] = from > 0 ? [14, kind === "x" ? 44 : 66] : [66, kind === "x" ? 36 : 14];
    const low = kind === "x" ? y + (to - y) * 0.6 : to;
    const turn = Math.sign(end - start);
    return s("g", { class: kind },
      s("line", { x1: start, y1: y, x2: end, y2: low }),
      kind === "x"
        ? s("path", { d: `M${end - 3} ${low - 3}l6 6m0 -6l-6 6` })
        : s("path", { d: `M${end - 5 * turn} ${low - 4}L${end} ${low}L${end - 5 * turn} ${low + 2}` }));
  });
  return s("svg", { class: "lesson-drawing", viewBox: "0 0 80 56", width: 80, height: 56, "aria-hidden": "true" }, s("line", { class: "life", x1: 14, y1: 2, x2: 14, y2: 54 }), s("line", { class: "life", x1: 66, y1: 2, x2: 66, y2: 54 }), ...arrows);
}
