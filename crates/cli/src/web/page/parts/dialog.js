// A dialog with a form: Escape and Cancel close it, and what cannot be done is said in it.

import { h } from "../dom.js";
import { Trouble } from "../api.js";
import { t } from "../i18n.js";
import { complain, troubleCard } from "./toast.js";

/**
 * Opens a dialog. It stays open, and says why, while `onSubmit` rejects.
 * @param {{title: string, body: Node[], submit: string, onSubmit: (form: HTMLFormElement) => Promise<void> | void}} options
 */
export function openDialog({ title, body, submit, onSubmit }) {
  const trouble = h("div");
  const form = h(
    "form",
    { method: "dialog", class: "column" },
    h("h2", null, title),
    ...body,
    trouble,
    h(
      "div",
      { class: "row", style: { "justify-content": "flex-end" } },
      h("button", { type: "button", onclick: () => dialog.close() }, t("dialog.cancel")),
      h("button", { class: "primary", type: "submit" }, submit),
    ),
  );
  const dialog = h("dialog", { "aria-label": title, onclose: () => dialog.remove() }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await onSubmit(form);
      dialog.close();
    } catch (reason) {
      if (reason instanceof Trouble) trouble.replaceChildren(troubleCard(reason));
      else complain(reason);
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
