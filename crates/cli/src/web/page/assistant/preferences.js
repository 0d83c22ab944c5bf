// How somebody likes to see and send: kept by the browser, and saved with a project.

const KEY = "sockeye.assistant";

/**
 * @typedef {object} Preferences
 * @property {"text" | "hex" | "both"} shows
 * @property {"clock" | "delta" | "date"} time
 * @property {"ctrl" | "enter"} sendsBy
 * @property {string[]} tabs the sessions that have tabs
 * @property {{name: string, outgoing: Outgoing}[]} commands
 * @property {Outgoing[]} history the newest last
 */

/** @typedef {{form: "text" | "hex", text: string, encoding: string, escapes: boolean, ending: string, checksum: string, order: string}} Outgoing */

/** @type {Preferences} */
const DEFAULTS = { shows: "text", time: "clock", sendsBy: "ctrl", tabs: [], commands: [], history: [] };

/** @returns {Preferences} */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const known = Object.entries(DEFAULTS).map(([name, value]) => [name, isLike(kept?.[name], value) ? kept[name] : value]);
    return Object.fromEntries(known);
  } catch {
    return { ...DEFAULTS };
  }
}

/**
 * @param {any} value
 * @param {any} model
 */
function isLike(value, model) {
  return Array.isArray(model) ? Array.isArray(value) : typeof value === typeof model;
}

let preferences = read();

/** @returns {Readonly<Preferences>} */
export function preferred() {
  return preferences;
}

/** @param {Partial<Preferences>} changes */
export function prefer(changes) {
  preferences = { ...preferences, ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // The browser keeps no more, or nothing at all: they last as long as the page.
  }
}
