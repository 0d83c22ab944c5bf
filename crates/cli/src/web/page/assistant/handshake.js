// Two hosts on a LAN of Sockeye that greet each other: what a newcomer looks at first.

import { t } from "../i18n.js";
import { nothing } from "./outgoing.js";
import { openTab } from "./tabs.js";

const PORT = 7788;
const SERVER = "10.0.0.2";

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
  await store.becomes("recordings", recording);
  return recording;
}

/**
 * Waits until a session is in a state, or has failed.
 * @param {import("../store.js").Store} store
 * @param {string} session
 * @param {string} wanted
 */
async function becomes(store, session, wanted) {
  await store.becomes("sessions", session, ({ state }) => state === wanted || state === "failed");
  return store.get("sessions", session)?.state === wanted;
}
