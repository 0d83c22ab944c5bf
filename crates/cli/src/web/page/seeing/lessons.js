// The lessons: a gallery of them, and the form of their parameters.

import { h } from "../dom.js";
import { t, told } from "../i18n.js";
import { openDialog } from "../parts/dialog.js";
import { complain } from "../parts/toast.js";
import { drawingOf } from "./lesson-drawing.js";

/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string} words
 * @property {"number" | "choice" | "switch"} kind
 * @property {any} default
 * @property {number} [min]
 * @property {number} [max]
 * @property {string} [unit]
 * @property {string[]} [of]
 */

/** What the assistant has told of the lessons, for their titles. @type {Map<string, any>} */
const known = new Map();

/** @param {import("../store.js").Store} store */
function learn(store) {
  for (const lesson of store.about.lessons ?? []) known.set(lesson.name, lesson);
  return [...known.values()];
}

/** @param {string} name */
export function lessonTitle(name) {
  return told(`lesson.${name}`, {}, known.get(name)?.title ?? name);
}

/** @type {import("../main.js").Maker} */
export function lessonsView(store) {
  const lessons = learn(store);
  const element = h(
    "div",
    { class: "view padded lessons" },
    h("h1", null, t("lessons.title")),
    h("p", { class: "soft lead" }, t("lessons.lead")),
    h(
      "ul",
      { class: "gallery" },
      lessons.map(({ name, steps }) =>
        h("li", null, h("a", { class: "lesson-card", href: `#lesson=${name}` }, drawingOf(name), h("span", { class: "column" },
          h("strong", null, lessonTitle(name)),
          h("span", { class: "soft small" }, told(`lesson.${name}.about`, {}, steps?.[0]?.text ?? ""))))),
      ),
    ),
  );
  return { element, title: t("lessons.title") };
}

/** Opens a lesson, and goes to its recording. @type {import("../main.js").Maker} */
export function lessonView(store, name, signal) {
  learn(store);
  const open = store.all("recordings").find((one) => one.lesson?.name === name && !one.lesson.fork);
  if (open) queueMicrotask(() => !signal.aborted && location.replace(`#recording=${open.recording}`));
  else openLesson(store, name, null, {}, signal);
  return { element: h("div", { class: "view padded" }, h("p", { class: "soft" }, t("lessons.opening", { name: lessonTitle(name) }))), title: lessonTitle(name) };
}

/**
 * @param {import("../store.js").Store} store
 * @param {string} name
 * @param {number | null} seed
 * @param {Record<string, any>} parameters
 * @param {AbortSignal} [signal]
 */
async function openLesson(store, name, seed, parameters, signal) {
  try {
    const { recording } = await store.ask("lesson.open", { name, seed, parameters });
    await store.becomes("recordings", recording);
    if (!signal?.aborted) location.replace(`#recording=${recording}`);
  } catch (reason) {
    complain(reason);
    if (!signal?.aborted) location.replace("#lessons");
  }
}

/**
 * Asks for a lesson's seed and parameters, and plays it anew with them.
 * @param {import("../store.js").Store} store
 * @param {any} lesson as the recording tells it
 * @param {string} recording which it takes the place of
 */
export function askParameters(store, lesson, recording) {
  learn(store);
  /** @type {Parameter[]} */
  const parameters = known.get(lesson.name)?.parameters ?? [];
  const fields = parameters.map((parameter) => ({ parameter, ...field(parameter, lesson.parameters?.[parameter.name] ?? parameter.default) }));
  const seed = h("input", { type: "number", min: "0", step: "1", value: String(lesson.seed ?? "") });
  openDialog({
    title: t("lesson.parameters"),
    body: [...fields.map(({ element }) => element), labelled(t("lesson.seed"), seed, t("lesson.seed.hint"))],
    submit: t("lesson.play-anew"),
    onSubmit: async () => {
      const values = Object.fromEntries(fields.map(({ parameter, value }) => [parameter.name, value()]));
      const opened = await store.ask("lesson.open", { name: lesson.name, seed: seed.value === "" ? null : Number(seed.value), parameters: values });
      await store.becomes("recordings", opened.recording);
      location.hash = `#recording=${opened.recording}`;
      await store.ask("recording.forget", { recording });
    },
  });
}

/**
 * @param {Parameter} parameter
 * @param {any} now
 * @returns {{element: HTMLElement, value: () => any}}
 */
function field(parameter, now) {
  const name = told(`parameter.${parameter.name}`, {}, parameter.words ?? parameter.name);
  if (parameter.kind === "switch") {
    const input = h("input", { type: "checkbox", checked: now === true });
    return { element: h("label", null, input, name), value: () => input.checked };
  }
  if (parameter.kind === "choice") {
    const input = h("select", null, (parameter.of ?? []).map((word) => h("option", { value: word, selected: word === now }, told(`choice.${word}`, {}, word))));
    return { element: labelled(name, input), value: () => input.value };
  }
  const input = h("input", { type: "number", value: String(now ?? ""), min: parameter.min, max: parameter.max, required: true });
  return { element: labelled(parameter.unit ? `${name} (${parameter.unit})` : name, input), value: () => Number(input.value) };
}

/**
 * @param {string} name
 * @param {HTMLElement} input
 * @param {string} [hint]
 */
export function labelled(name, input, hint) {
  return h("label", { class: "field" }, h("span", { class: "name" }, name), input, hint && h("span", { class: "hint" }, hint));
}
