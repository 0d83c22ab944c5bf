// One of a few: buttons in a row, of which one is pressed; and a field with a name.

import { h } from "../dom.js";

/** @typedef {import("../dom.js").Child} Child */

/**
 * A row of buttons for one of a few values. The arrow keys walk along it, as in any group of radio buttons.
 * @template {string} T
 * @param {string} label
 * @param {[T, string, string?][]} options value, text, and what it means
 * @param {T} value
 * @param {(value: T) => void} onChange
 */
export function choice(label, options, value, onChange) {
  const buttons = options.map(([name, text, title]) =>
    h("button", { type: "button", role: "radio", title: title ?? "", data: { value: name }, onclick: () => choose(name) }, text),
  );
  const element = h("div", { class: "choice", role: "radiogroup", "aria-label": label, onkeydown: onKey }, buttons);

  /** @param {string} name */
  function show(name) {
    for (const button of buttons) {
      const isChosen = button.dataset.value === name;
      button.setAttribute("aria-checked", String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    }
  }

  /** @param {T} name */
  function choose(name) {
    show(name);
    onChange(name);
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = buttons.findIndex((button) => button.getAttribute("aria-checked") === "true");
    const next = (at + step + buttons.length) % buttons.length;
    buttons[next].focus();
    choose(options[next][0]);
  }

  show(value);
  return Object.assign(element, { show });
}

/**
 * A list to choose from.
 * @param {string} label
 * @param {[string, string][]} options value and text
 * @param {string} value
 * @param {(value: string) => void} onChange
 */
export function select(label, options, value, onChange) {
  const element = h(
    "select",
    { "aria-label": label, title: label, onchange: () => onChange(element.value) },
    options.map(([name, text]) => h("option", { value: name }, text)),
  );
  element.value = value;
  return element;
}

/**
 * A box to tick, with its name.
 * @param {string} name
 * @param {boolean} value
 * @param {(value: boolean) => void} onChange
 * @param {string} [title]
 */
export function tick(name, value, onChange, title) {
  const box = h("input", { type: "checkbox", checked: value, onchange: () => onChange(box.checked) });
  return Object.assign(h("label", { title: title ?? "" }, box, name), { box });
}

/**
 * Something to fill in, under its name.
 * @param {string} name
 * @param {Child} control
 * @param {Child} [hint]
 */
export function field(name, control, hint) {
  return h("label", { class: "field" }, h("span", { class: "name" }, name), control, hint ? h("span", { class: "hint" }, hint) : null);
}
