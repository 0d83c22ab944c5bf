// A button that opens a short list below it, or above where there is more room. Escape, and a click elsewhere, close it.

import { h } from "../dom.js";

/** Room that a list should have, in pixels. */
const ROOM = 280;
const EDGE = 4;

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

  /** Puts the list at the button; fixed, so that nothing around it cuts it off. */
  function place() {
    const { top, bottom, right } = button.getBoundingClientRect();
    const isBelow = innerHeight - bottom > ROOM || innerHeight - bottom > top;
    const set = (/** @type {string} */ name, /** @type {string} */ value) => list.style.setProperty(name, value);
    set("top", isBelow ? `${bottom + 2}px` : "auto");
    set("bottom", isBelow ? "auto" : `${innerHeight - top + 2}px`);
    set("max-height", `${(isBelow ? innerHeight - bottom : top) - 4 * EDGE}px`);
    // As far to the right as the button ends, unless that would be too far to the left.
    const width = list.offsetWidth;
    set("left", `${Math.max(EDGE, Math.min(right - width, innerWidth - width - EDGE))}px`);
  }

  element.addEventListener("toggle", () => {
    if (!element.open) return;
    list.replaceChildren();
    for (const item of typeof items === "function" ? items() : items) if (item) list.append(item instanceof Node ? item : String(item));
    place();
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
