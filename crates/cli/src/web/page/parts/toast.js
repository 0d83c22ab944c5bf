// Short messages in the corner: what went wrong, in plain words with the next step.

import { h } from "../dom.js";
import { Trouble } from "../api.js";
import { told } from "../i18n.js";

const STAYS_MS = 9000;
const holder = h("div", { class: "toasts", role: "status", aria: { live: "polite" } });

/**
 * A trouble, as an element.
 * @param {{code: string, words: string, next: string, facts: Record<string, any>}} trouble
 */
export function troubleCard(trouble) {
  return h(
    "div",
    { class: "trouble", role: "alert" },
    h("div", null, told(`trouble.${trouble.code}`, trouble.facts, trouble.words)),
    trouble.next && h("div", { class: "next" }, told(`trouble.${trouble.code}.next`, trouble.facts, trouble.next)),
  );
}

/** @param {unknown} reason */
export function complain(reason) {
  const trouble = reason instanceof Trouble ? reason : { code: "page", words: String(reason), next: "", facts: {} };
  say(troubleCard(trouble));
}

/** @param {HTMLElement | string} what */
export function say(what) {
  if (!holder.isConnected) document.body.append(holder);
  const toast = h("div", { class: "toast" }, typeof what === "string" ? h("div", { class: "card" }, what) : what);
  toast.addEventListener("click", () => toast.remove());
  holder.append(toast);
  setTimeout(() => toast.remove(), STAYS_MS);
}
