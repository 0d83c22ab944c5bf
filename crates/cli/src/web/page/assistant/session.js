// A session: its head, its log, the send box, and the panel with its clients, commands, replies and options.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { Commands } from "./commands.js";
import { Header, STATES } from "./header.js";
import { Log } from "./log.js";
import { entitle } from "../parts/title.js";
import { nameOf } from "./name.js";
import { Options } from "./options.js";
import { Panel } from "./panel.js";
import { Peers } from "./peers.js";
import { Reply } from "./reply.js";
import { SendBox, forgetDraft } from "./send-box.js";
import { Tabs } from "./tabs.js";
import { Targets } from "./targets.js";
import { UdpTarget } from "./udp-target.js";

/** @type {import("../main.js").Maker} */
export function sessionView(store, value, signal) {
  const session = store.get("sessions", value);
  if (!session) return { element: gone(), title: t("gone.title") };
  const tabs = new Tabs(store, value, STATES);
  const targets = new Targets(session);
  const header = new Header(store, session);
  const log = new Log(store, session, signal);
  const box = new SendBox(store, session, targets);
  const peers = session.kind === "tcp-client" ? null : new Peers(store, session, targets);
  const udp = session.kind === "udp" ? new UdpTarget(session, targets) : null;
  const reply = session.kind === "forward" ? null : new Reply(store, session);
  const options = new Options(store, session);
  const parts = [
    udp && peers && { name: "udp", title: t("udp"), element: h("div", { class: "column" }, udp.element, h("h3", null, t("peers.udp")), peers.element) },
    !udp && peers && { name: "peers", title: t(`peers.${session.kind}`), element: peers.element },
    { name: "commands", title: t("commands"), element: new Commands(box, signal).element },
    reply && { name: "reply", title: t("reply"), element: reply.element },
    { name: "options", title: t("options"), element: options.element },
  ];
  const panel = new Panel(session.kind, parts.flatMap((part) => part || []));
  const element = h(
    "div",
    { class: "view session" },
    tabs.element,
    header.element,
    h("div", { class: "session-body" }, h("div", { class: "session-main" }, log.element, box.element), panel.element),
  );

  /** @param {any} now */
  function update(now) {
    if (!now) {
      forgetDraft(value);
      element.replaceChildren(tabs.element, gone());
      return;
    }
    // Where it listens, and so what it is called, is known a moment after it was opened.
    if (!signal.aborted && element.isConnected) entitle(nameOf(now));
    for (const part of [targets, header, log, box, peers, udp, reply, options]) part?.update(now);
  }

  // The browser's own search would find only what is on the screen of a log.
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "f" || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    log.tools.search();
  }, { signal });
  store.follow("sessions", value, update, signal);
  store.addEventListener("news", () => tabs.update(), { signal });
  signal.addEventListener("abort", () => clearTimeout(box.typing));
  return { element, title: nameOf(session) };
}

function gone() {
  return h("div", { class: "page-width column" }, h("p", null, t("gone")), h("p", null, h("a", { href: "#home" }, t("home.back"))));
}
