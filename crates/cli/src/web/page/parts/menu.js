// A button that opens a short list below it. Escape, and a click elsewhere, close it.

import { h } from "../dom.js";

/**
 * @param {string} name of the button
 * @param {import("../dom.js").Child[] | (() => import("../dom.js").Child[])} items made when it is opened, where it is a function
 * @param {{title?: string, class?: string}} [options]
 */
export function menu(name, items, options = {}) {
  const list = h("div", { class: "menu-list", onclick: () => close() });
  const button = h("summary", { class: options.class ?? "", title: options.title ?? "", "aria-label": options.title ?? name, role: "button" }, name);
  const element = h("details", { class: "menu" }, button, list);

  function close() {
    element.open = false;
  }

  element.addEventListener("toggle", () => {
    if (!element.open) return;
    list.replaceChildren();
    for (const item of typeof items === "function" ? items() : items) if (item) list.append(item instanceof Node ? item : String(item));
    const onClick = (/** @type {Event} */ event) => {
      if (element.isConnected && element.contains(/** @type {Node} */ (event.target))) return;
      close();
      document.removeEventListener("pointerdown", onClick);
    };
    document.addEventListener("pointerdown", onClick);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return;
    event.stopPropagation();
    close();
    button.focus();
  });
  return element;
}
