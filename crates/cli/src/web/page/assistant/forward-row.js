// One entry of a forwarder's log: its two connections stand side by side, on one clock.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { logRow, moment } from "./log-row.js";

/**
 * The names of the two sides, above their columns.
 * @param {any} session
 * @param {"clock" | "delta" | "date"} time
 */
export function forwardHead(session, time) {
  // As wide as a line's: a moment of the same form, which is not seen.
  const space = h("span", { class: "time space" }, moment({ at: 0, delta: 100 }, time));
  return h(
    "div",
    { class: "entry forwarded forward-head", "aria-hidden": "true" },
    space,
    h("span", { class: "sign" }),
    h("span", { class: "peer" }),
    h("span", { class: "length" }),
    h("span", { class: "side-content client" }, t("forward.client")),
    h("span", { class: "side-content target" }, t("forward.target", { address: session.remote ?? session.to ?? "" })),
  );
}

/**
 * @param {import("./log-row.js").Entry} entry
 * @param {Parameters<typeof logRow>[1]} look
 */
export function forwardRow(entry, look) {
  const row = logRow(entry, look);
  if (entry.kind !== "sent" && entry.kind !== "received") return row;
  const content = /** @type {Element} */ (row.lastElementChild);
  content.classList.add("side-content");
  row.classList.add("forwarded");
  const other = h("span", { class: "side-empty" });
  if (entry.side === "far") content.before(other);
  else content.after(other);
  return row;
}
