// Opens a capture file of one's own: pcapng or pcap, chosen or dropped.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { Trouble } from "../api.js";
import { complain, troubleCard } from "../parts/toast.js";

/** @type {import("../main.js").Maker} */
export function openView(store, _value, signal) {
  const said = h("div", { role: "status" });
  const input = h("input", { type: "file", accept: ".pcapng,.pcap,.cap", class: "unseen", id: "capture", onchange: () => input.files?.[0] && open(input.files[0]) });
  const target = h(
    "label",
    { class: "drop-target", htmlFor: "capture" },
    h("span", { class: "big", "aria-hidden": "true" }, "⇣"),
    h("strong", null, t("open.choose")),
    h("span", { class: "soft" }, t("open.drop")),
  );
  const element = h("div", { class: "view padded" }, h("h1", null, t("open.title")), h("p", { class: "soft lead" }, t("open.about")), input, target, said);

  /** @param {File} file */
  async function open(file) {
    fill(said, t("open.reading", { name: file.name }));
    try {
      const response = await fetch(`api/recording?title=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      const answer = await response.json().catch(() => ({}));
      const trouble = answer.error ?? (response.ok ? null : { code: "page", words: `${response.status} ${response.statusText}`, next: "", facts: {} });
      if (trouble) throw new Trouble(trouble);
      const { recording } = answer.ok ?? answer;
      await store.becomes("recordings", recording);
      if (!signal.aborted) location.hash = `#recording=${recording}`;
    } catch (reason) {
      fill(said);
      if (reason instanceof Trouble) fill(said, troubleCard(reason));
      else complain(reason);
    }
  }

  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("is-over");
  });
  element.addEventListener("dragleave", () => target.classList.remove("is-over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("is-over");
    const file = event.dataTransfer?.files[0];
    if (file) open(file);
  });
  return { element, title: t("open.title") };
}
