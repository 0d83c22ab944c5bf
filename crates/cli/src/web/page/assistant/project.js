// Projects: sessions and LANs as one opens them, saved commands, and how they are looked at. As a file, and as a link.

import { h } from "../dom.js";
import { t } from "../i18n.js";
import { complain } from "../parts/toast.js";
import { copy } from "./log-detail.js";
import { prefer, preferred } from "./preferences.js";

/** Links that are longer are cut by many programs. */
const LONGEST_LINK = 16_000;

/**
 * @typedef {object} Project
 * @property {any[]} sessions
 * @property {any[]} lans
 * @property {any[]} [commands]
 * @property {any} [view]
 */

/**
 * What is open now.
 * @param {import("../store.js").Store} store
 * @param {string[]} [sessions] only these
 * @returns {Promise<Project>}
 */
async function present(store, sessions) {
  const { project } = await store.ask("project.save", sessions ? { sessions } : {});
  const { commands, shows, time, sendsBy } = preferred();
  return sessions ? project : { ...project, commands, view: { shows, time, sendsBy } };
}

/** @param {import("../store.js").Store} store */
export async function saveProject(store) {
  try {
    const text = JSON.stringify(await present(store), null, 2);
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = h("a", { href: address, download: "sockeye-project.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  } catch (reason) {
    complain(reason);
  }
}

/**
 * A link that opens what is open now, or one session of it.
 * @param {import("../store.js").Store} store
 * @param {string} [session]
 */
export async function copyLink(store, session) {
  try {
    const project = await present(store, session ? [session] : undefined);
    const link = `${location.origin}/#scenario=${encode(project)}`;
    if (link.length > LONGEST_LINK) complain(t("project.link.long"));
    else await copy(link);
  } catch (reason) {
    complain(reason);
  }
}

/** Asks for a project's file, and shows what it would open. */
export function chooseProject() {
  const input = h("input", { type: "file", accept: ".json,application/json", onchange: async () => {
    const [file] = input.files ?? [];
    if (!file) return;
    try {
      location.hash = `#scenario=${encode(check(JSON.parse(await file.text())))}`;
    } catch {
      complain(t("project.bad"));
    }
  } });
  input.click();
}

/**
 * Opens all of it. → the first session, or null.
 * @param {import("../store.js").Store} store
 * @param {Project} project
 * @returns {Promise<string | null>}
 */
export async function openProject(store, project) {
  const { commands, view, ...opened } = project;
  const answer = await store.ask("project.load", { project: opened });
  if (commands) {
    const names = new Set(commands.map((command) => command.name));
    prefer({ commands: [...preferred().commands.filter((command) => !names.has(command.name)), ...commands] });
  }
  if (view) prefer(known(view));
  const first = answer.sessions?.[0] ?? null;
  if (first) await store.becomes("sessions", first);
  return first;
}

/**
 * The settings of a view that we know, and no others.
 * @param {any} view
 */
function known(view) {
  const values = { shows: ["text", "hex", "both"], time: ["clock", "delta", "date"], sendsBy: ["ctrl", "enter"] };
  return Object.fromEntries(Object.entries(values).flatMap(([name, all]) => (all.includes(view[name]) ? [[name, view[name]]] : [])));
}

/**
 * @param {any} project
 * @returns {Project}
 */
function check(project) {
  const isList = (/** @type {any} */ value) => value === undefined || (Array.isArray(value) && value.every((one) => one !== null && typeof one === "object"));
  if (project === null || typeof project !== "object" || ![project.sessions, project.lans, project.commands].every(isList)) throw new Error(t("project.bad"));
  const commands = project.commands?.filter((/** @type {any} */ command) => typeof command.name === "string" && typeof command.outgoing?.text === "string");
  return { ...project, sessions: project.sessions ?? [], lans: project.lans ?? [], ...(commands ? { commands } : {}) };
}

/** @param {Project} project */
function encode(project) {
  const bytes = new TextEncoder().encode(JSON.stringify(project));
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * What a link holds.
 * @param {string} text base64url
 */
export function decode(text) {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  return check(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
}
