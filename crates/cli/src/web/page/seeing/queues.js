// The two queues of a listener: connections half open, and connections that accept() has not taken yet.

import { h } from "../dom.js";
import { t } from "../i18n.js";

/** More places than this are not drawn one by one. */
const DRAWN = 32;

/**
 * A number, or how many there are.
 * @param {any} value
 */
const count = (value) => (Array.isArray(value) ? value.length : Number(value ?? 0));

/**
 * @param {any} listener
 * @param {string} host
 */
export function queuesDrawing(listener, host) {
  const [half, full] = [count(listener.half_open), count(listener.accept_queue)];
  return h(
    "section",
    { class: "card listener" },
    h("h3", null, t("queues.listener", { host }), h("span", { class: "mono soft small" }, listener.address)),
    queue(t("queues.half"), half, listener.half_open_limit ?? null, "half", t("queues.half.about")),
    h("div", { class: "queue-arrow", "aria-hidden": "true" }, "↓ ", t("queues.ack")),
    queue(t("queues.full"), full, listener.backlog ?? null, "full", t("queues.full.about")),
    h("div", { class: "queue-arrow", "aria-hidden": "true" }, "↓ accept()"),
  );
}

/**
 * @param {string} name
 * @param {number} used
 * @param {number | null} limit
 * @param {string} kind
 * @param {string} about
 */
function queue(name, used, limit, kind, about) {
  const places = Math.min(DRAWN, Math.max(used, limit ?? 8));
  const isFull = limit !== null && used >= limit;
  return h(
    "div",
    { class: `queue ${kind}${isFull ? " is-full" : ""}`, title: about },
    h("div", { class: "row nowrap" }, h("span", null, name), h("span", { class: "grow" }), h("b", { class: "mono" }, limit === null ? String(used) : `${used} / ${limit}`), isFull && h("span", { class: "badge bad" }, t("queues.is-full"))),
    h("div", { class: "places", role: "img", "aria-label": `${name}: ${used}` }, Array.from({ length: places }, (_, place) => h("i", { class: place < used ? "used" : "" }))),
  );
}
