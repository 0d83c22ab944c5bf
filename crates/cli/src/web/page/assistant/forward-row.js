// One entry of a forwarder's log: what its two sides have said stands side by side, on one clock.

import { h } from "../dom.js";
import { logRow } from "./log-row.js";

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
