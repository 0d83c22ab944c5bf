// The player of a lesson: its steps, and the moment one has come to. Everything else in the view follows that moment.

import { h, fill, s } from "../dom.js";
import { t, told } from "../i18n.js";
import { openDialog } from "../parts/dialog.js";
import { complain } from "../parts/toast.js";
import { maskDrawing } from "./mask.js";
import { askParameters, labelled } from "./lessons.js";
import { Passage } from "./passage.js";
import { clock } from "./span.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** The scrub bar's resolution. */
const TICKS = 2000;
/** Of a longer recording only so many rows are looked at for the passage of time. */
const MOST_ROWS = 20_000;

/** @param {string} path */
const sign = (path) => s("svg", { class: "sign", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, s("path", { d: path, fill: "currentColor" }));

export class Player {
  /**
   * @param {import("../store.js").Store} store
   * @param {string} recording
   * @param {import("./moment.js").Moment} moment
   * @param {AbortSignal} signal
   */
  constructor(store, recording, moment, signal) {
    this.store = store;
    this.recording = recording;
    this.moment = moment;
    this.entity = store.get("recordings", recording);
    this.lesson = this.entity.lesson;
    this.passage = new Passage([this.entity.from, this.entity.to]);
    this.mark = 0;
    this.speed = 1;
    this.isPlaying = false;
    this.step = -1;

    this.playButton = h("button", { class: "primary play", onclick: () => this.toggle() });
    this.range = h("input", { type: "range", min: "0", max: String(TICKS), value: "0", "aria-label": t("player.scrub"), oninput: () => this.scrub() });
    this.ticks = h("div", { class: "player-ticks", "aria-hidden": "true" });
    this.time = h("output", { class: "mono" });
    const speed = h("select", { "aria-label": t("player.speed"), title: t("player.speed"), onchange: () => { this.speed = Number(speed.value); } }, SPEEDS.map((one) => h("option", { value: String(one), selected: one === 1 }, `${one}×`)));
    this.element = h(
      "div",
      { class: "player", role: "group", "aria-label": t("player.label") },
      h("button", { class: "icon", "aria-label": t("player.back"), title: t("player.back"), onclick: () => this.back() }, sign("M11 3L5 8l6 5zM3 3h2v10H3z")),
      this.playButton,
      h("button", { class: "icon", "aria-label": t("player.forward"), title: t("player.forward"), onclick: () => this.go(this.step + 1) }, sign("M5 3l6 5-6 5zM11 3h2v10h-2z")),
      h("div", { class: "scrub" }, this.range, this.ticks),
      this.time,
      speed,
    );
    this.actions = h(
      "span",
      { class: "row" },
      h("span", { class: "soft small seed" }, t("lesson.seed-is", { seed: this.lesson.seed })),
      h("button", { onclick: () => askParameters(store, this.lesson, recording) }, t("lesson.parameters")),
      h("button", { onclick: () => this.fork() }, t("lesson.fork")),
    );
    this.items = this.lesson.steps.map((/** @type {any} */ step, /** @type {number} */ place) =>
      h("li", null, h("button", { class: "quiet step", onclick: () => this.go(place) }, h("span", { class: "number" }, String(place + 1)), h("span", { class: "column" }, h("span", null, stepText(step)), h("span", { class: "mono small faint" }, clock(step.at))))));
    this.steps = h(
      "div",
      { class: "steps" },
      this.lesson.fork && h("p", { class: "small nothing" }, h("a", { href: `#recording=${this.lesson.fork.of}` }, t("lesson.is-fork", { at: clock(this.lesson.fork.at) }))),
      maskDrawing(this.lesson, this.entity),
      h("ol", null, this.items),
    );
    signal.addEventListener("abort", () => this.pause());
    document.addEventListener("keydown", (event) => this.onKey(event), { signal });
    this.load();
    this.showPlay();
    // Begin at the first step, not at a finished ladder.
    this.goTime(moment.time ?? this.lesson.steps[0]?.at ?? this.entity.from);
    moment.on("time", () => this.show(), signal);
  }

  /** Learns when things happen, so that pauses can be passed quickly. */
  async load() {
    /** @type {number[]} */
    const times = [this.entity.from];
    try {
      let from = this.entity.first;
      while (times.length < MOST_ROWS) {
        const { rows } = await this.store.ask("recording.rows", { recording: this.recording, from, count: 500, filter: null });
        if (rows.length === 0) break;
        for (const row of rows) times.push(row.time, ...(row.arrives ? [row.arrives] : []));
        from += rows.length;
      }
    } catch (reason) {
      complain(reason);
    }
    times.push(this.entity.to);
    this.passage = new Passage(times.sort((a, b) => a - b));
    this.mark = this.passage.markAt(this.moment.time ?? this.entity.from);
    fill(this.ticks, this.lesson.steps.map((/** @type {any} */ step) => h("i", { style: { left: `${(100 * this.passage.markAt(step.at)) / (this.passage.length || 1)}%` } })));
    this.show();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || target.closest("input, select, textarea, dialog, button")) return;
    if (event.key === " ") this.toggle();
    else if (event.key === "ArrowRight") this.go(this.step + 1);
    else if (event.key === "ArrowLeft") this.back();
    else return;
    event.preventDefault();
  }

  /** To the step before; of several at one moment the last is the one that is seen. */
  back() {
    const steps = /** @type {any[]} */ (this.lesson.steps);
    const now = steps[this.step]?.at ?? 0;
    this.go(steps.findLastIndex(({ at }) => at < now));
  }

  /** To a step. @param {number} place */
  go(place) {
    this.pause();
    if (place >= this.lesson.steps.length) return this.goTime(this.entity.to);
    const step = this.lesson.steps[Math.max(0, place)];
    if (step) this.goTime(step.at);
  }

  /** @param {number} time */
  goTime(time) {
    this.mark = this.passage.markAt(time);
    this.moment.go(time);
    this.show();
  }

  scrub() {
    this.pause();
    this.mark = (Number(this.range.value) / TICKS) * this.passage.length;
    this.moment.go(this.passage.timeAt(this.mark));
  }

  toggle() {
    if (this.isPlaying) return this.pause();
    this.isPlaying = true;
    if (this.mark >= this.passage.length - 1e-6) this.mark = 0;
    let last = performance.now();
    const advance = (/** @type {number} */ now) => {
      if (!this.isPlaying) return;
      this.mark = Math.min(this.passage.length, this.mark + ((now - last) / 1000) * this.speed);
      last = now;
      this.moment.go(this.passage.timeAt(this.mark));
      if (this.mark >= this.passage.length) this.pause();
      else requestAnimationFrame(advance);
    };
    requestAnimationFrame(advance);
    this.showPlay();
  }

  pause() {
    this.isPlaying = false;
    this.showPlay();
  }

  showPlay() {
    fill(this.playButton, sign(this.isPlaying ? "M4 3h3v10H4zM9 3h3v10H9z" : "M4 2.5l9 5.5-9 5.5z"));
    this.playButton.setAttribute("aria-label", t(this.isPlaying ? "player.pause" : "player.play"));
    this.playButton.title = t(this.isPlaying ? "player.pause" : "player.play");
  }

  show() {
    const time = this.moment.time ?? this.entity.to;
    if (document.activeElement !== this.range || this.isPlaying) this.range.value = String(Math.round((this.mark / (this.passage.length || 1)) * TICKS));
    this.range.setAttribute("aria-valuetext", clock(time));
    fill(this.time, clock(time));
    const steps = /** @type {any[]} */ (this.lesson.steps);
    const step = steps.findLastIndex((one) => one.at <= time + 1e-12);
    if (step === this.step) return;
    this.step = step;
    this.items.forEach((/** @type {HTMLElement} */ item, /** @type {number} */ place) => {
      item.classList.toggle("is-now", place === step);
      item.classList.toggle("is-later", place > step);
      if (place === step) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    this.reveal();
  }

  /** Scrolls the list of steps to where one is. */
  reveal() {
    const now = this.items[this.step];
    if (now?.isConnected) now.scrollIntoView({ block: "nearest" });
  }

  /** The same up to here, and other luck from here on. */
  fork() {
    this.pause();
    const at = this.moment.time ?? this.entity.to;
    const seed = h("input", { type: "number", min: "0", step: "1", required: true, value: String((Number(this.lesson.seed) || 0) + 1) });
    openDialog({
      title: t("lesson.fork.title", { at: clock(at) }),
      body: [h("p", { class: "soft" }, t("lesson.fork.about")), labelled(t("lesson.seed"), seed)],
      submit: t("lesson.fork"),
      onSubmit: async () => {
        const { recording } = await this.store.ask("lesson.fork", { recording: this.recording, at, seed: Number(seed.value) });
        await this.store.becomes("recordings", recording);
        location.hash = `#recording=${recording}`;
      },
    });
  }
}

/** @param {{words: string, text?: string, facts?: Record<string, any>}} step */
export function stepText(step) {
  return told(`step.${step.words}`, step.facts ?? {}, step.text ?? step.words);
}
