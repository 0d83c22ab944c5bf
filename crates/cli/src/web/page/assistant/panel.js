// The panel beside a log: one of a few parts at a time. Where there is little room it opens above the log, and closes again.

import { h, fill } from "../dom.js";

/** Which part was looked at last, by kind of session. @type {Map<string, string>} */
const chosen = new Map();

export class Panel {
  /**
   * @param {string} kind of the session
   * @param {{name: string, title: string, element: HTMLElement}[]} parts
   */
  constructor(kind, parts) {
    this.kind = kind;
    this.parts = parts;
    this.body = h("div", { class: "panel-body", role: "tabpanel", id: "panel-body", tabIndex: 0 });
    this.buttons = parts.map(({ name, title }) =>
      h("button", { role: "tab", class: "quiet", data: { name }, "aria-controls": "panel-body", onclick: () => this.choose(name) }, title),
    );
    this.head = h("div", { class: "panel-tabs", role: "tablist", onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event) }, this.buttons);
    this.element = h("aside", { class: "panel" }, this.head, this.body);
    this.show(chosen.get(kind) ?? parts[0].name);
  }

  /** @param {string} name */
  choose(name) {
    this.element.classList.toggle("is-open", name !== this.shown || !this.element.classList.contains("is-open"));
    this.show(name);
  }

  /** @param {string} name */
  show(name) {
    const part = this.parts.find((one) => one.name === name) ?? this.parts[0];
    this.shown = part.name;
    chosen.set(this.kind, part.name);
    for (const button of this.buttons) {
      const isShown = button.dataset.name === part.name;
      button.setAttribute("aria-selected", String(isShown));
      button.tabIndex = isShown ? 0 : -1;
    }
    this.body.setAttribute("aria-label", part.title);
    fill(this.body, part.element);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = this.parts.findIndex(({ name }) => name === this.shown);
    const next = (at + step + this.parts.length) % this.parts.length;
    this.show(this.parts[next].name);
    this.buttons[next].focus();
  }
}
