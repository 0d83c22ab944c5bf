// Saved commands: what is sent often, by name, with one click.

import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { openDialog } from "../parts/dialog.js";
import { field } from "../parts/choice.js";
import { summary } from "./outgoing.js";
import { prefer, preferred } from "./preferences.js";

/** @typedef {import("./outgoing.js").Outgoing} Outgoing */

const changes = new EventTarget();

/** @param {Outgoing} outgoing */
export function nameCommand(outgoing) {
  const name = h("input", { name: "name", required: true, maxLength: 60, value: summary(outgoing).slice(0, 40), autofocus: true });
  openDialog({
    title: t("commands.save"),
    body: [field(t("commands.name"), name, t("commands.name.hint"))],
    submit: t("commands.keep"),
    onSubmit: () => {
      const others = preferred().commands.filter((command) => command.name !== name.value);
      keep([...others, { name: name.value, outgoing: { ...outgoing } }]);
    },
  });
  name.select();
}

/** @param {{name: string, outgoing: Outgoing}[]} commands */
function keep(commands) {
  prefer({ commands });
  changes.dispatchEvent(new Event("change"));
}

export class Commands {
  /**
   * @param {import("./send-box.js").SendBox} box
   * @param {AbortSignal} signal
   */
  constructor(box, signal) {
    this.box = box;
    this.element = h("div", { class: "column" });
    changes.addEventListener("change", () => this.show(), { signal });
    this.show();
  }

  show() {
    const { commands } = preferred();
    const without = (/** @type {string} */ name) => commands.filter((command) => command.name !== name);
    fill(
      this.element,
      h("p", { class: "small soft" }, t(commands.length > 0 ? "commands.hint" : "commands.none")),
      commands.map(({ name, outgoing }) =>
        h(
          "div",
          { class: "row nowrap command" },
          h("button", { class: "grow", title: t("commands.send", { name }), onclick: () => this.box.send(outgoing) }, h("span", { class: "name" }, name), h("span", { class: "mono small soft" }, summary(outgoing))),
          h("button", { class: "quiet icon", "aria-label": t("commands.edit", { name }), title: t("commands.edit", { name }), onclick: () => this.box.take(outgoing) }, "✎"),
          h("button", { class: "quiet icon", "aria-label": t("commands.remove", { name }), title: t("commands.remove", { name }), onclick: () => keep(without(name)) }, "✕"),
        ),
      ),
    );
  }
}
