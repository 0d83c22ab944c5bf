// Rows that stand for no host: what a person or a lesson has done or said, and frames that are only counted any more.

import { t, told } from "../i18n.js";
import { span } from "./span.js";

/** @param {import("./rows.js").Row} row */
export function noteText(row) {
  if (row.kind === "summary") return t("ladder.summary", { frames: row.frames, lost: row.lost, again: row.again });
  const words = row.words ?? String(row.note);
  const facts = row.facts ?? {};
  if (row.note === "step") return told(`step.${facts.step}`, facts, words);
  const spoken = { ...facts, for: typeof facts.value === "number" ? span(facts.value) : "", way: facts.direction ? t(`way-of.${facts.direction}`) : "" };
  const text = told(`note.${row.note}`, spoken, words);
  return /\{\w+\}/.test(text) ? words : text;
}
