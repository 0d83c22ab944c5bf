// The row that is looked at: a frame peeled layer by layer, with the bytes of each field; of other rows what there is to be said.

import { h, fill } from "../dom.js";
import { t, told } from "../i18n.js";
import { complain } from "../parts/toast.js";
import { clock, span } from "./span.js";
import { what } from "./said.js";

/** @typedef {{name: string, value?: string, from: number, to: number, note?: string | null}} Field */
/** @typedef {{name: string, from: number, to: number, fields: Field[]}} Layer */

const ACROSS = 8;
/** A longer frame's dump is cut. */
const LONGEST = 2048;

export class Details {
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
    this.element = h("div", { class: "details" });
    moment.on("row", () => this.show(), signal);
    this.show();
  }

  async show() {
    const { row } = this.moment;
    if (!row) {
      fill(this.element, h("p", { class: "soft nothing" }, t("details.none")));
      return;
    }
    const hosts = this.store.get("recordings", this.recording)?.hosts ?? [];
    const head = h("div", { class: "details-head" }, h("div", { class: "mono soft" }, `${clock(row.time)} · ${t("details.row", { row: row.row })}`), h("div", { class: "said" }, what(row, hosts)));
    if (row.first !== undefined && row.first !== null) head.append(h("button", { class: "small-button", onclick: () => this.moment.jump(row.first) }, `↑ ${t("details.first")}`));
    if (row.kind !== "frame") {
      fill(this.element, head, facts(row, hosts));
      return;
    }
    try {
      const { bytes, layers } = await this.store.ask("recording.frame", { recording: this.recording, row: row.row });
      if (this.moment.row !== row) return;
      fill(this.element, head, facts(row, hosts), this.peeled(Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0)), layers));
    } catch (reason) {
      if (this.moment.row === row) fill(this.element, head, facts(row, hosts));
      complain(reason);
    }
  }

  /**
   * @param {Uint8Array} bytes
   * @param {Layer[]} layers
   */
  peeled(bytes, layers) {
    const dump = new Dump(bytes);
    /** @type {{from: number, to: number, element: HTMLElement}[]} */
    const fields = [];
    /** @param {number | null} place a byte */
    const mark = (place) => {
      for (const one of fields) one.element.classList.toggle("is-marked", place !== null && place >= one.from && place < one.to);
    };
    const tree = h("div", { class: "layers", role: "group", "aria-label": t("details.layers") }, layers.map((layer) => {
      const rows = layer.fields.map((field) => {
        const note = field.name === "data" ? field.note : phrase(field.note);
        const element = h(
          "div",
          { class: "layer-field", role: "listitem", tabIndex: 0, onpointerenter: () => dump.mark(field.from, field.to), onfocus: () => dump.mark(field.from, field.to) },
          h("span", { class: "name" }, told(`field.${field.name}`, {}, field.name)),
          h("span", { class: "value mono" }, phrase(field.value), note && h("span", { class: field.name.endsWith("checksum") && field.note?.startsWith("wrong") ? "note bad" : "note" }, note)),
        );
        fields.push({ from: field.from, to: field.to, element });
        return element;
      });
      const title = h("summary", { onpointerenter: () => dump.mark(layer.from, layer.to), onfocus: () => dump.mark(layer.from, layer.to) },
        told(`layer.${layer.name}`, {}, layer.name), h("span", { class: "soft small" }, t("details.bytes", { from: layer.from, to: layer.to, count: layer.to - layer.from })));
      return h("details", { class: "layer", open: layer === layers[layers.length - 1] || layers.length <= 4 }, title, h("div", { role: "list" }, rows));
    }));
    dump.onOver = (place) => {
      mark(place);
      const deepest = fields.filter((one) => place !== null && place >= one.from && place < one.to).pop();
      if (deepest) dump.mark(deepest.from, deepest.to);
      else dump.mark(0, 0);
    };
    return h("div", { class: "peeled", onpointerleave: () => dump.mark(0, 0) }, tree, dump.element);
  }
}

/**
 * What is noted at a field in the language of the page: as a whole, or with its numbers as facts, `kind {1}, {2} bytes`.
 * @param {string | null | undefined} text
 */
function phrase(text) {
  if (!text) return "";
  /** @type {Record<string, string>} */
  const numbers = {};
  let count = 0;
  const pattern = text.replace(/\d+/g, (number) => {
    count += 1;
    numbers[count] = number;
    return `{${count}}`;
  });
  return told(`noted.${text}`, {}, told(`noted.${pattern}`, numbers, text));
}

/** Bytes in hexadecimal and as characters. */
class Dump {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    /** @type {(place: number | null) => void} */
    this.onOver = () => {};
    /** @type {HTMLElement[][]} */
    this.cells = [];
    const lines = [];
    for (let from = 0; from < Math.min(bytes.length, LONGEST); from += ACROSS) {
      const part = [...bytes.subarray(from, Math.min(from + ACROSS, LONGEST))];
      const hex = part.map((byte, place) => h("span", { data: { at: String(from + place) } }, byte.toString(16).padStart(2, "0")));
      const letters = part.map((byte, place) => h("span", { data: { at: String(from + place) } }, byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·"));
      part.forEach((_, place) => this.cells.push([hex[place], letters[place]]));
      lines.push(h("div", { class: "line" }, h("span", { class: "offset" }, from.toString(16).padStart(4, "0")), h("span", { class: "hex" }, hex), h("span", { class: "letters" }, letters)));
    }
    if (bytes.length > LONGEST) lines.push(h("div", { class: "soft" }, t("details.cut", { bytes: bytes.length - LONGEST })));
    this.element = h("div", {
      class: "dump mono",
      onpointerover: (/** @type {PointerEvent} */ event) => {
        const { at } = /** @type {HTMLElement} */ (event.target).dataset;
        this.onOver(at === undefined ? null : Number(at));
      },
      onpointerleave: () => this.onOver(null),
    }, lines);
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  mark(from, to) {
    for (let place = this.marked?.[0] ?? 0; place < (this.marked?.[1] ?? 0); place += 1) this.cells[place]?.forEach((cell) => cell.classList.remove("is-marked"));
    for (let place = from; place < Math.min(to, this.cells.length); place += 1) this.cells[place].forEach((cell) => cell.classList.add("is-marked"));
    this.marked = [from, to];
  }
}

/**
 * @param {any} row
 * @param {{name: string}[]} hosts
 */
function facts(row, hosts) {
  /** @type {[string, string | number | null | undefined][]} */
  const known = [];
  if (row.kind === "frame") {
    known.push(["length", t("details.length", { bytes: row.length })]);
    if (row.arrives > row.time) known.push(["travel", span(row.arrives - row.time)]);
    if (row.lost) known.push(["lost", told(`lost.${row.lost}`, {}, row.lost)]);
    if (row.again) known.push(["again", told(`again.${row.again}`, {}, row.again)]);
    if (row.states?.some((/** @type {any} */ state) => state)) known.push(["states", row.states.map((/** @type {any} */ state) => state ?? "—").join(" → ")]);
    if (row.payload) known.push(["payload", row.payload]);
  } else {
    for (const name of ["call", "arguments", "outcome", "before", "state", "address", "cwnd", "ssthresh", "reason", "frames", "lost", "again", "bytes"]) {
      if (row[name] !== undefined && row[name] !== null && row[name] !== "") known.push([name, typeof row[name] === "object" ? JSON.stringify(row[name]) : row[name]]);
    }
    if (row.error) known.push(["error", typeof row.error === "string" ? row.error : (row.error.words ?? row.error.code)]);
    if (row.host !== undefined) known.unshift(["host", hosts[row.host]?.name]);
  }
  if (row.connection) known.push(["connection", `#${row.connection}`]);
  return h("dl", { class: "facts" }, known.map(([name, value]) => [h("dt", null, t(`fact.${name}`)), h("dd", { class: "mono" }, String(value))]).flat());
}
