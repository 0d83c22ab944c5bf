// The title of the window: what it shows.

/** @param {string} shown */
export function entitle(shown) {
  document.title = shown ? `${shown} – Sockeye` : "Sockeye";
}
