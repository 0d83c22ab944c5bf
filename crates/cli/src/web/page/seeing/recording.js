// A recording: its ladder, states, boundaries and plots, with what is to be said about them at the side.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { complain } from "../parts/toast.js";
import { Boundaries } from "./boundaries.js";
import { CablePanel } from "./cable.js";
import { Details } from "./details.js";
import { Explain } from "./explain.js";
import { Ladder } from "./ladder.js";
import { lessonTitle } from "./lessons.js";
import { Moment } from "./moment.js";
import { Player } from "./player.js";
import { Plots } from "./plots.js";
import { States } from "./states.js";
import { Tabs } from "./tabs.js";

/** The tab that was shown last: leaving a recording for another one keeps it. */
let lastTab = "ladder";
/** Where one was in the recording that was shown last: another language does not lead back to its beginning. */
let last = { recording: "", time: /** @type {number | null} */ (null) };

/** @type {import("../main.js").Maker} */
export function recordingView(store, recording, signal) {
  const entity = store.get("recordings", recording);
  if (!entity) return { element: h("div", { class: "view padded" }, h("p", { class: "soft" }, t("gone"))), title: t("gone") };
  const moment = new Moment();
  if (last.recording === recording) moment.time = last.time;
  moment.on("time", () => { last = { recording, time: moment.time }; }, signal);
  const lan = store.all("lans").find((one) => one.recording === recording);
  const player = entity.lesson ? new Player(store, recording, moment, signal) : null;
  const ladder = new Ladder(store, recording, moment, signal);
  const tabs = new Tabs(t("recording.views"), [
    { key: "ladder", title: t("tab.ladder"), make: () => ladder.element, onShow: () => { lastTab = "ladder"; ladder.draw(); } },
    { key: "states", title: t("tab.states"), make: () => new States(store, recording, moment, signal).element, onShow: () => { lastTab = "states"; } },
    { key: "boundaries", title: t("tab.boundaries"), make: () => new Boundaries(store, recording, moment, signal).element, onShow: () => { lastTab = "boundaries"; } },
    { key: "plots", title: t("tab.plots"), make: () => new Plots(store, recording, moment, signal).element, onShow: () => { lastTab = "plots"; } },
  ]);
  const details = new Details(store, recording, moment, signal);
  const explain = new Explain(store, recording, moment, signal);
  const beside = new Tabs(t("recording.beside"), [
    ...(player ? [{ key: "steps", title: t("tab.steps"), make: () => player.steps, onShow: () => requestAnimationFrame(() => player.reveal()) }] : []),
    { key: "explain", title: t("tab.explain"), make: () => explain.element },
    { key: "details", title: t("tab.details"), make: () => details.element },
    ...(lan ? [{ key: "cable", title: t("tab.cable"), make: () => new CablePanel(store, lan.lan, signal).element }] : []),
  ]);
  moment.on("row", () => moment.row && beside.show("details"), signal);
  moment.onJump(() => tabs.show("ladder"), signal);

  const name = h("h1", null);
  const facts = h("span", { class: "soft small facts-line" });
  const element = h(
    "div",
    { class: "view recording" },
    h(
      "header",
      { class: "recording-head" },
      name,
      h("span", { class: "badge" }, t(`recording.kind.${entity.kind}`)),
      facts,
      h("span", { class: "grow" }),
      player && player.actions,
      lan && !lan.owner && h("a", { class: "button-link", href: "#new", title: t("lan.session.long") }, t("lan.session")),
      h("a", { class: "button-link", href: `api/recording/${recording}.pcapng`, download: "" }, t("recording.download")),
      lan && !lan.owner ? h("button", { class: "quiet", onclick: () => leave(store, "lan.close", { lan: lan.lan }, `#recording=${recording}`) }, t("lan.close")) : h("button", { class: "quiet", onclick: () => leave(store, "recording.forget", { recording }, "#home") }, t("recording.forget")),
    ),
    h("div", { class: "recording-body" }, h("section", { class: "recording-main" }, tabs.list, tabs.panel), h("aside", { class: "recording-side", "aria-label": t("recording.beside") }, beside.list, beside.panel)),
    player && player.element,
  );
  tabs.show(lastTab);
  beside.show(player ? "steps" : lan ? "cable" : "explain");
  store.follow(
    "recordings",
    recording,
    (now) => {
      if (!now) return fill(element, h("p", { class: "soft padded" }, t("gone")));
      fill(name, now.lesson ? lessonTitle(now.lesson.name) : now.title);
      fill(facts, t("recording.facts", { rows: now.rows, connections: now.connections.length }), now.summarised > 0 && ` · ${t("recording.summarised", { frames: now.summarised })}`);
      beside.rename("explain", now.findings > 0 ? `${t("tab.explain")} (${now.findings})` : t("tab.explain"));
    },
    signal,
  );
  return { element, title: entity.lesson ? lessonTitle(entity.lesson.name) : entity.title };
}

/**
 * Ends something, and goes elsewhere.
 * @param {import("../store.js").Store} store
 * @param {string} what
 * @param {Record<string, any>} parameters
 * @param {string} where
 */
async function leave(store, what, parameters, where) {
  try {
    await store.ask(what, parameters);
    if (location.hash === where) dispatchEvent(new Event("hashchange"));
    else location.hash = where;
  } catch (reason) {
    complain(reason);
  }
}
