// The decision between a neighbour and the gateway, as arithmetic with bits: both addresses, the mask, and what is left of them.

import { h } from "../dom.js";
import { t } from "../i18n.js";

/** @param {string} address @returns {number | null} */
function bits(address) {
  const parts = address.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return null;
  return parts.reduce((all, part) => all * 256 + part, 0);
}

/** @param {number} value */
const dotted = (value) => [24, 16, 8, 0].map((by) => (value >>> by) & 255).join(".");

/**
 * @param {number} value
 * @param {number} length of the prefix
 */
function binary(value, length) {
  const cells = [];
  for (let place = 0; place < 32; place += 1) {
    if (place > 0 && place % 8 === 0) cells.push(h("i", { class: "point" }, "."));
    cells.push(h("span", { class: place < length ? "net" : "host" }, String((value >>> (31 - place)) & 1)));
  }
  return h("span", { class: "bits mono" }, cells);
}

/**
 * The arithmetic for one pair of addresses.
 * @param {string} own with its prefix length, `10.0.0.3/24`
 * @param {string} to
 * @param {string | null} gateway
 */
export function maskArithmetic(own, to, gateway) {
  const [address, prefix] = own.split("/");
  const length = Number(prefix ?? 24);
  const [mine, yours] = [bits(address), bits(to)];
  if (mine === null || yours === null || !(length >= 0 && length <= 32)) return null;
  const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
  const [here, there] = [(mine & mask) >>> 0, (yours & mask) >>> 0];
  /** @type {(name: string, value: number, isSum?: boolean) => HTMLElement} */
  const line = (name, value, isSum = false) =>
    h("tr", { class: isSum ? "sum" : "" }, h("th", { scope: "row" }, name, h("span", { class: "mono" }, dotted(value))), h("td", null, binary(value, length)));
  const isNear = here === there;
  return h(
    "div",
    { class: "mask card" },
    h("table", { class: "small" }, h("tbody", null,
      line(t("mask.own"), mine), line(t("mask.mask", { length }), mask), line(t("mask.own-net"), here, true),
      line(t("mask.to"), yours), line(t("mask.mask", { length }), mask), line(t("mask.to-net"), there, true))),
    h("p", { class: isNear ? "near" : "far" }, isNear ? t("mask.near", { to }) : gateway ? t("mask.far", { gateway }) : t("mask.far.none")),
  );
}

/**
 * For the lesson about the gateway.
 * @param {any} lesson
 * @param {any} recording
 */
export function maskDrawing(lesson, recording) {
  if (lesson.name !== "gateway") return null;
  const facts = lesson.steps.map((/** @type {any} */ step) => step.facts ?? {}).find((/** @type {any} */ some) => some.decimal);
  if (!facts) return null;
  const { address, destination } = facts.decimal;
  return maskArithmetic(`${address}/${facts.prefix}`, destination, recording.hosts[1]?.addresses[0] ?? null);
}
