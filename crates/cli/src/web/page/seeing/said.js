// A row in one sentence: what is read aloud, and what a table shows.

import { t, told } from "../i18n.js";
import { callText } from "./ladder-draw.js";
import { noteText } from "./note.js";
import { clock, span } from "./span.js";

/** @typedef {import("./rows.js").Row} Row */

/**
 * @param {Row} row
 * @param {{name: string}[]} hosts
 */
export function said(row, hosts) {
  return `${clock(row.time)} ${what(row, hosts)}`;
}

/**
 * @param {Row} row
 * @param {{name: string}[]} hosts
 */
export function what(row, hosts) {
  /** @param {number} host */
  const name = (host) => hosts[host]?.name ?? "?";
  if (row.kind === "frame") {
    const to = row.to?.length ? row.to.map(name).join(", ") : "—";
    const parts = [t("said.frame", { from: name(row.from), to, protocol: row.protocol, words: row.words })];
    if (row.lost) parts.push(t("said.lost", { why: told(`lost.${row.lost}`, {}, row.lost) }));
    // A capture knows only one time.
    else if (row.arrives > row.time) parts.push(t("said.arrives", { span: span(row.arrives - row.time) }));
    if (row.first !== undefined && row.first !== null) parts.push(t("said.again", { row: row.first }));
    for (const mark of row.marks ?? []) parts.push(t(`mark.${mark}`));
    return parts.join(", ");
  }
  if (row.kind === "call") return `${name(row.host)}: ${callText(row)}`;
  if (row.kind === "state") return t("said.state", { host: name(row.host), before: row.before, state: row.state, cause: told(`cause.${row.cause}`, {}, row.cause ?? "") });
  if (row.kind === "recovery") return `${name(row.host)}: ${row.words}`;
  if (row.kind === "drop") return t("said.drop", { host: name(row.host), reason: row.reason, words: told(`drop.${row.reason}`, {}, row.words ?? "") });
  return noteText(row);
}
