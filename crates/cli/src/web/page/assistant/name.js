// What a session is called where nobody has named it: its kind and its port, of a client the one of its server.

import { t } from "../i18n.js";

/** @param {{title: string, kind: string, local: string | null, to: string | null}} session */
export function nameOf({ title, kind, local, to }) {
  if (title) return title;
  const [, port = ""] = /:(\d+)$/.exec(local ?? "") ?? [];
  return `${t(`kind.${kind}`)} ${kind === "tcp-client" ? (to ?? "").replace(/^127\.0\.0\.1:/, "") : port}`.trim();
}
