// One entry of a log, whole: its text with lines broken, and a dump of its bytes.

import { h, fill } from "../dom.js";
import { t, told, size } from "../i18n.js";
import { complain, say } from "../parts/toast.js";
import { dump, fromBase64, hex } from "./bytes.js";
import { moment, said, textNodes } from "./log-row.js";

/** @typedef {import("./log-row.js").Entry} Entry */

export class LogDetail {
  /** @param {() => void} onClose */
  constructor(onClose) {
    this.element = h("section", { class: "log-detail", "aria-label": t("log.detail"), hidden: true });
    this.onClose = onClose;
  }

  close() {
    this.element.hidden = true;
    this.onClose();
  }

  /**
   * @param {Entry} entry
   * @param {string} sought
   */
  show(entry, sought) {
    const isData = entry.kind === "sent" || entry.kind === "received";
    const bytes = fromBase64(entry.bytes ?? "");
    const about = [`${t(`log.${entry.kind}`)}`, moment(entry, "date"), entry.address ?? "", isData ? t("log.bytes", { n: entry.length }) : ""];
    const close = h("button", { class: "quiet icon", "aria-label": t("dialog.close"), onclick: () => this.close() }, "✕");
    this.element.hidden = false;
    fill(
      this.element,
      h(
        "div",
        { class: `row log-detail-head ${entry.kind}` },
        h("span", { class: "grow" }, about.filter(Boolean).join(" · ")),
        isData && h("button", { class: "quiet", onclick: () => copy(textOf(entry)) }, t("log.copy.text")),
        isData && h("button", { class: "quiet", onclick: () => copy(hex(bytes)) }, t("log.copy.hex")),
        isData && h("button", { class: "quiet", onclick: () => copy(dump(bytes)) }, t("log.copy.dump")),
        !isData && h("button", { class: "quiet", onclick: () => copy(said(entry)) }, t("log.copy")),
        close,
      ),
      entry.length > bytes.length && h("div", { class: "small soft log-detail-cut" }, t("log.cut", { shown: size(bytes.length), length: size(entry.length) })),
      isData
        ? h(
            "div",
            { class: "log-detail-body" },
            h("div", { class: "log-detail-text", tabIndex: 0, "aria-label": t("log.text") }, textNodes(entry.pieces ?? [], Infinity, sought, true)),
            h("pre", { class: "log-detail-dump", tabIndex: 0, "aria-label": t("log.hex") }, dump(bytes)),
          )
        : h("div", { class: "log-detail-text words" }, h("div", null, said(entry)), h("div", { class: "soft" }, told(`trouble.${entry.code}.next`, entry.facts ?? {}, entry.next ?? ""))),
    );
  }
}

/** @param {Entry} entry */
export function textOf(entry) {
  if (entry.kind === "event" || entry.kind === "error") return said(entry);
  return (entry.pieces ?? []).map(([kind, value]) => (kind === "t" ? value : value.split(" ").map((byte) => `\\x${byte}`).join(""))).join("");
}

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(t("copied"));
  } catch (reason) {
    complain(reason);
  }
}
