// The views of the assistant.

/** @type {Record<string, import("../main.js").Maker>} */
export const assistantViews = {};
