// Tabs, of which one is shown. What a tab shows is made when it is shown first.

import { h, fill } from "../dom.js";

/** @typedef {{key: string, title: string, make: () => HTMLElement, onShow?: () => void}} Tab */

let tablists = 0;

export class Tabs {
  /**
   * @param {string} label
   * @param {Tab[]} tabs
   */
  constructor(label, tabs) {
    this.tabs = tabs;
    this.id = `tabs${(tablists += 1)}`;
    /** @type {Map<string, HTMLElement>} */
    this.made = new Map();
    this.buttons = new Map(
      tabs.map(({ key, title }) => [key, h("button", { role: "tab", id: `${this.id}-${key}`, "aria-controls": `${this.id}-panel`, onclick: () => this.show(key) }, title)]),
    );
    this.list = h("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event) }, [...this.buttons.values()]);
    this.panel = h("div", { class: "tab-panel", role: "tabpanel", id: `${this.id}-panel` });
    this.key = "";
  }

  /** @param {string} key */
  show(key) {
    const tab = this.tabs.find((one) => one.key === key) ?? this.tabs[0];
    if (!tab || tab.key === this.key) return;
    this.key = tab.key;
    for (const [name, button] of this.buttons) {
      button.setAttribute("aria-selected", String(name === tab.key));
      button.tabIndex = name === tab.key ? 0 : -1;
    }
    const element = this.made.get(tab.key) ?? tab.make();
    this.made.set(tab.key, element);
    fill(this.panel, element);
    this.panel.setAttribute("aria-labelledby", `${this.id}-${tab.key}`);
    tab.onShow?.();
  }

  /**
   * @param {string} key
   * @param {string} title
   */
  rename(key, title) {
    const button = this.buttons.get(key);
    if (button && button.textContent !== title) fill(button, title);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const place = this.tabs.findIndex(({ key }) => key === this.key);
    const { key } = this.tabs[(place + step + this.tabs.length) % this.tabs.length];
    this.show(key);
    this.buttons.get(key)?.focus();
  }
}
