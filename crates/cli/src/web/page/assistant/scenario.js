// What a link or a file would open: it is shown first, and opened only when somebody says so.

import { h, fill } from "../dom.js";
import { Trouble } from "../api.js";
import { t } from "../i18n.js";
import { complain, troubleCard } from "../parts/toast.js";
import { decode, openProject } from "./project.js";

/** @type {import("../main.js").Maker} */
export function scenarioView(store, value) {
  const title = t("scenario.title");
  let project;
  try {
    project = decode(value);
  } catch {
    return { title, element: h("div", { class: "view page-width column" }, h("h1", null, title), h("p", null, t("project.bad")), h("p", null, h("a", { href: "#home" }, t("home.back")))) };
  }
  const { sessions, lans, commands = [] } = project;
  const trouble = h("div");
  const warnings = sessions.flatMap(warningsOf);
  const open = h("button", { class: "primary", onclick: async () => {
    open.disabled = true;
    try {
      const first = await openProject(store, project);
      location.hash = first ? `#session=${first}` : "#home";
    } catch (reason) {
      if (reason instanceof Trouble) fill(trouble, troubleCard(reason));
      else complain(reason);
      open.disabled = false;
    }
  } }, t("scenario.open"));
  const element = h(
    "div",
    { class: "view page-width column scenario" },
    h("h1", null, title),
    h("p", { class: "soft" }, t("scenario.hint")),
    h(
      "ul",
      { class: "card scenario-list" },
      lans.map((lan) => h("li", null, t("scenario.lan", { title: lan.title ?? lan.lan ?? "LAN" }))),
      sessions.map((session) => h("li", null, describe(session), extras(session))),
      commands.length > 0 && h("li", null, t("scenario.commands", { n: commands.length })),
      sessions.length + lans.length + commands.length === 0 && h("li", null, t("scenario.nothing")),
    ),
    warnings.length > 0 && h("div", { class: "warning-card", role: "alert" }, [...new Set(warnings)].map((warning) => h("div", null, warning))),
    trouble,
    h("div", { class: "row" }, open, h("a", { class: "button", href: "#home" }, t("scenario.leave"))),
  );
  return { title, element };
}

/** @param {any} session as one opens it */
function describe(session) {
  const where = session.place?.on === "lan" ? t("place.host", { host: session.place.host, lan: session.place.lan }) : t("place.machine");
  const local = session.port ? `${session.address ?? "127.0.0.1"}:${session.port}` : "";
  return [h("b", null, session.title || t(`kind.${session.kind}`)), ` – ${t(`kind.${session.kind}`)} · `, h("span", { class: "mono" }, [local, session.to].filter(Boolean).join(" → ")), ` · ${where}`];
}

/** @param {any} session as one opens it */
function extras(session) {
  const { reply, greeting, reconnect } = session.settings ?? {};
  const words = [
    reply && reply.mode !== "off" && t("scenario.reply", { mode: t(`reply.${reply.mode}`) }),
    greeting && t("scenario.greeting"),
    reconnect && t("scenario.reconnect"),
  ].filter(Boolean);
  return words.length > 0 && h("div", { class: "small soft" }, words.join(" · "));
}

/**
 * What others on the network would notice.
 * @param {any} session as one opens it
 */
function warningsOf(session) {
  if (session.place?.on === "lan") return [];
  const listens = session.kind !== "tcp-client";
  const isLocal = (/** @type {string} */ address) => /^(127\.|localhost$|\[?::1\]?$)/.test(address);
  const warnings = [];
  if (listens && session.address && !isLocal(session.address)) warnings.push(t("scenario.warning.listens", { address: `${session.address}:${session.port}` }));
  const to = String(session.to ?? "");
  if (to && !isLocal(to.replace(/:\d+$/, ""))) warnings.push(t("scenario.warning.connects", { address: to }));
  return warnings;
}
