// One entry of a forwarder's log: what its two sides have said stands side by side, on one clock.

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
    h("span", { class: "side-content target" }, t("forward.target", { address: session.remote ?? "" })),
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
  const sign = row.querySelector(".sign");
  // What it has received from the client goes on to the target, and what the target says is sent to the client.
  const isFromClient = entry.kind === "received";
  if (sign) sign.textContent = isFromClient ? "▸" : "◂";
  content.classList.add("side-content");
  row.classList.add("forwarded");
  const other = h("span", { class: "side-empty" });
  if (isFromClient) content.after(other);
  else content.before(other);
  return row;
}
