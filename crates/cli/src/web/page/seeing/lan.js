// LANs: a form for a new one, and the view of one, which is that of its recording.

import { h, fill } from "../dom.js";
import { t, told } from "../i18n.js";
import { Trouble } from "../api.js";
import { complain, troubleCard } from "../parts/toast.js";
import { described } from "./cable.js";
import { labelled } from "./lessons.js";
import { recordingView } from "./recording.js";

const MOST_HOSTS = 16;

/** @type {import("../main.js").Maker} */
export function lanView(store, value, signal) {
  if (!value) return newLanView(store, value, signal);
  const lan = store.get("lans", value);
  if (!lan) return { element: h("div", { class: "view padded" }, h("p", { class: "soft" }, t("gone"))), title: t("gone") };
  if (!store.get("recordings", lan.recording)) {
    // The news of its recording is still on its way.
    store.becomes("recordings", lan.recording).then(() => !signal.aborted && dispatchEvent(new Event("hashchange")));
    return { element: h("div", { class: "view padded" }), title: lan.title };
  }
  return recordingView(store, lan.recording, signal);
}

/** @type {import("../main.js").Maker} */
function newLanView(store) {
  const title = h("input", { value: t("lan.new.title-is"), required: true, maxLength: 60 });
  const seed = h("input", { type: "number", min: "0", step: "1", placeholder: t("lan.seed.any") });
  const profiles = /** @type {any[]} */ (store.about.profiles ?? []);
  const hint = h("span", { class: "hint" });
  const profile = h(
    "select",
    { onchange: () => showHint() },
    profiles.every((one) => one.name !== "perfect") && h("option", { value: "" }, t("profile.perfect")),
    profiles.map((one) => h("option", { value: one.name }, told(`profile.${one.name}`, {}, one.title ?? one.name))),
  );
  const conditions = () => profiles.find((one) => one.name === profile.value)?.conditions ?? {};
  const showHint = () => fill(hint, profile.value && profile.value !== "perfect" && described(conditions()));
  showHint();
  const hosts = h("div", { class: "column" });
  /** @type {(name: string, address: string) => void} */
  const addHost = (name, address) => {
    const row = h(
      "div",
      { class: "row nowrap host-row" },
      h("input", { name: "host", value: name, required: true, pattern: "[A-Za-z0-9_\\-]+", "aria-label": t("lan.host") }),
      h("input", { name: "address", class: "mono", value: address, required: true, "aria-label": t("lan.address") }),
      h("button", { type: "button", class: "quiet icon", "aria-label": t("lan.host.remove"), onclick: () => row.remove() }, "×"),
    );
    hosts.append(row);
  };
  addHost("client", "10.0.0.3/24");
  addHost("server", "10.0.0.2/24");
  const trouble = h("div");
  const form = h(
    "form",
    { class: "card column new-lan" },
    labelled(t("lan.title"), title),
    h("fieldset", null, h("legend", null, t("lan.hosts")), hosts,
      h("button", { type: "button", class: "small-button", onclick: () => hosts.children.length < MOST_HOSTS && addHost(`host${hosts.children.length + 1}`, `10.0.0.${hosts.children.length + 2}/24`) }, `+ ${t("lan.host.add")}`)),
    h("label", { class: "field" }, h("span", { class: "name" }, t("lan.profile")), profile, hint),
    labelled(t("lan.seed"), seed, t("lan.seed.hint")),
    trouble,
    h("div", { class: "row" }, h("button", { class: "primary", type: "submit" }, t("lan.open"))),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const cast = [...hosts.children].map((row) => {
        const [name, address] = row.querySelectorAll("input");
        return { host: name.value, address: address.value };
      });
      const opened = await store.ask("lan.open", { title: title.value, hosts: cast, seed: seed.value === "" ? null : Number(seed.value), conditions: conditions() });
      await store.becomes("recordings", opened.recording);
      location.hash = `#lan=${opened.lan}`;
    } catch (reason) {
      if (reason instanceof Trouble) fill(trouble, troubleCard(reason));
      else complain(reason);
    }
  });
  const element = h("div", { class: "view padded" }, h("h1", null, t("lan.new")), h("p", { class: "soft lead" }, t("lan.new.about")), form);
  return { element, title: t("lan.new") };
}
