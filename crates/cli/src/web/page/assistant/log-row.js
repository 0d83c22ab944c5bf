// One entry of a log, as a line.

import { h } from "../dom.js";
import { told } from "../i18n.js";
import { fromBase64, hex, readable } from "./bytes.js";

/** A line shows no more than fits: the whole entry stands in the detail. */
const LONGEST_TEXT = 400;
const LONGEST_HEX = 120;

/**
 * @typedef {object} Entry
 * @property {number} n
 * @property {number} at
 * @property {"sent" | "received" | "event" | "error"} kind
 * @property {number | null} peer
 * @property {string | null} address
 * @property {string} bytes
 * @property {number} length
 * @property {[string, string][]} pieces
 * @property {string} words
 * @property {string} code
 * @property {"near" | "far"} [side] of a forwarder: the connection that it has accepted, or the one that it has opened
 * @property {string} [next] of an error: what to do
 * @property {Record<string, any>} facts
 * @property {number} [delta] milliseconds since the entry before
 */

/**
 * @param {number} value
 * @param {number} [width]
 */
const digits = (value, width = 2) => String(value).padStart(width, "0");

/**
 * @param {Pick<Entry, "at" | "delta">} entry
 * @param {"clock" | "delta" | "date"} time
 */
export function moment(entry, time) {
  if (time === "delta") return entry.delta === undefined ? "" : `+${lasting(entry.delta)}`;
  const at = new Date(entry.at);
  const clock = `${digits(at.getHours())}:${digits(at.getMinutes())}:${digits(at.getSeconds())}.${digits(at.getMilliseconds(), 3)}`;
  if (time === "clock") return clock;
  return `${at.getFullYear()}-${digits(at.getMonth() + 1)}-${digits(at.getDate())} ${clock}`;
}

/** @param {number} ms */
export function lasting(ms) {
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  if (ms < 600_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 36_000_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/**
 * The text of an entry as nodes: control characters as escapes, what could not be decoded as bytes, what is searched for marked.
 * @param {[string, string][]} pieces
 * @param {number} longest
 * @param {string} [sought]
 * @param {boolean} [breaksLines] whether a line feed begins a line
 */
export function textNodes(pieces, longest, sought = "", breaksLines = false) {
  /** @type {Node[]} */
  const nodes = [];
  let left = longest;
  for (const [kind, value] of pieces) {
    if (left <= 0) {
      nodes.push(h("span", { class: "control" }, "…"));
      break;
    }
    if (kind === "x") {
      const bytes = value.slice(0, left * 3);
      nodes.push(h("span", { class: "undecodable" }, bytes));
      left -= bytes.length / 3;
      continue;
    }
    const text = value.length > left ? value.slice(0, left) : value;
    left -= value.length;
    for (const part of readable(text)) {
      if (!part.isControl) nodes.push(...marked(part.text, sought));
      else nodes.push(h("span", { class: "control" }, breaksLines ? part.text.replaceAll("\\n", "\\n\n") : part.text));
    }
  }
  return nodes;
}

/**
 * @param {string} text
 * @param {string} sought
 * @returns {Node[]}
 */
function marked(text, sought) {
  const plain = document.createTextNode(text);
  if (!sought) return [plain];
  const lower = text.toLowerCase();
  const wanted = sought.toLowerCase();
  // Where lower case has another length, places would not agree.
  if (lower.length !== text.length || !lower.includes(wanted)) return [plain];
  /** @type {Node[]} */
  const nodes = [];
  let after = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, after)) {
    nodes.push(document.createTextNode(text.slice(after, at)), h("mark", null, text.slice(at, at + wanted.length)));
    after = at + wanted.length;
  }
  nodes.push(document.createTextNode(text.slice(after)));
  return nodes;
}

/** @param {Entry} entry */
export function said(entry) {
  const key = entry.kind === "error" ? `trouble.${entry.code}` : `event.${entry.code}`;
  return told(key, { address: entry.address, peer: entry.peer, ...entry.facts }, entry.words ?? "");
}

const SIGNS = { sent: "→", received: "←", event: "•", error: "!" };

/**
 * @param {Entry} entry
 * @param {{shows: "text" | "hex" | "both", time: "clock" | "delta" | "date", sought: string, hasPeers: boolean}} look
 */
export function logRow(entry, look) {
  const time = h("span", { class: "time" }, moment(entry, look.time));
  const sign = h("span", { class: "sign", "aria-label": entry.kind }, SIGNS[entry.kind] ?? "");
  const peer = look.hasPeers && h("span", { class: "peer", title: entry.address ?? "" }, entry.peer === null || entry.peer === undefined ? "" : `#${entry.peer}`);
  if (entry.kind === "event" || entry.kind === "error") {
    return h("div", { class: `entry ${entry.kind}` }, time, sign, peer, h("span", { class: "length" }), h("span", { class: "said" }, said(entry)));
  }
  const text = () => h("span", { class: "text" }, textNodes(entry.pieces ?? [], LONGEST_TEXT, look.sought));
  const bytes = () => {
    const known = fromBase64(entry.bytes).subarray(0, LONGEST_HEX);
    return h("span", { class: "hex" }, hex(known), entry.length > known.length && "…");
  };
  const content = look.shows === "both" ? h("span", { class: "both" }, text(), bytes()) : look.shows === "hex" ? bytes() : text();
  return h("div", { class: `entry ${entry.kind} ${look.shows}` }, time, sign, peer, h("span", { class: "length" }, entry.length), content);
}
