// The views that show why.

/** @type {Record<string, import("../main.js").Maker>} */
export const seeingViews = {};
