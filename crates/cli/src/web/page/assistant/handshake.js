// Two hosts on a LAN of Sockeye that greet each other: what a newcomer looks at first.

import { t } from "../i18n.js";
import { nothing } from "./outgoing.js";
import { openTab } from "./tabs.js";

const PORT = 7788;
const SERVER = "10.0.0.2";
const CONNECTS_WITHIN_MS = 5000;

/**
 * Opens a LAN, a server and a client on it, lets the client say something, and names the recording of it.
 * @param {import("../store.js").Store} store
 * @returns {Promise<string>}
 */
export async function showHandshake(store) {
  const { lan, recording } = await store.ask("lan.open", { title: t("handshake.lan") });
  const server = await store.ask("session.open", {
    kind: "tcp-server", title: t("handshake.server"), place: { on: "lan", lan, host: "server" }, port: PORT, settings: { reply: { mode: "echo" } },
  });
  const isReady = await becomes(store, server.session, "listening");
  const client = await store.ask("session.open", {
    kind: "tcp-client", title: t("handshake.client"), place: { on: "lan", lan, host: "client" }, to: `${SERVER}:${PORT}`,
  });
  openTab(server.session);
  openTab(client.session);
  if (isReady && (await becomes(store, client.session, "connected"))) {
    await store.ask("session.send", { session: client.session, to: "all", outgoing: { ...nothing(), text: t("handshake.hello"), ending: "lf" } });
  }
  return recording;
}

/**
 * Waits until a session is in a state; but not for ever.
 * @param {import("../store.js").Store} store
 * @param {string} session
 * @param {string} state
 * @returns {Promise<boolean>}
 */
function becomes(store, session, state) {
  const done = new AbortController();
  return new Promise((resolve) => {
    /** @param {boolean} isSo */
    const end = (isSo) => {
      done.abort();
      clearTimeout(timer);
      resolve(isSo);
    };
    const timer = setTimeout(() => end(false), CONNECTS_WITHIN_MS);
    store.follow("sessions", session, (now) => {
      if (now?.state === state) queueMicrotask(() => end(true));
      else if (now?.state === "failed") queueMicrotask(() => end(false));
    }, done.signal);
  });
}
