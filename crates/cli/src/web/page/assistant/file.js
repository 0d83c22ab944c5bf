// Sending a file, with how far it has got.

import { h, fill } from "../dom.js";
import { Trouble } from "../api.js";
import { size, t } from "../i18n.js";
import { complain } from "../parts/toast.js";

export class FileSending {
  /**
   * @param {import("../store.js").Store} store
   * @param {any} session
   * @param {() => any} to whom
   */
  constructor(store, session, to) {
    this.store = store;
    this.session = session;
    this.to = to;
    const input = h("input", { type: "file", hidden: true, onchange: () => {
      const [file] = input.files ?? [];
      if (file) this.send(file);
      input.value = "";
    } });
    this.button = h("button", { class: "quiet", title: t("file.hint"), onclick: () => input.click() }, t("file.send"));
    this.progress = h("progress", { max: 1, "aria-label": t("file.progress") });
    this.name = h("span", { class: "small soft" });
    this.under = h("span", { class: "row nowrap", hidden: true }, this.progress, this.name, h("button", { class: "quiet small-button", onclick: () => this.stop() }, t("file.stop")));
    this.element = h("span", { class: "row nowrap" }, input, this.button, this.under);
    this.update(session);
  }

  /** @param {File} file */
  async send(file) {
    const to = this.to();
    const where = Array.isArray(to) ? to.join(",") : to;
    const query = new URLSearchParams({ name: file.name, to: where });
    try {
      const response = await fetch(`/api/session/${this.session.session}/file?${query}`, { method: "POST", body: file });
      const answer = await response.json().catch(() => ({}));
      if (answer.error) complain(new Trouble(answer.error));
      else if (!response.ok) complain(new Trouble({ code: "file", words: response.statusText, next: "", facts: {} }));
    } catch (reason) {
      complain(reason);
    }
  }

  async stop() {
    try {
      await this.store.ask("session.stop_file", { session: this.session.session });
    } catch (reason) {
      complain(reason);
    }
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    const { file } = session.sending ?? {};
    this.under.hidden = !file;
    this.button.hidden = Boolean(file);
    if (!file) return;
    this.progress.value = file.size > 0 ? file.sent / file.size : 1;
    fill(this.name, t("file.sent", { name: file.name, sent: size(file.sent), size: size(file.size) }));
  }
}
