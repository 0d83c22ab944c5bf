// A new session: a form that is filled in already.

import { h, fill } from "../dom.js";
import { Trouble } from "../api.js";
import { t } from "../i18n.js";
import { choice, field, select, tick } from "../parts/choice.js";
import { keepFocus } from "../parts/focus.js";
import { complain, troubleCard } from "../parts/toast.js";
import { nameOf } from "./name.js";

const KINDS = ["tcp-server", "tcp-client", "udp", "forward"];
const LOOPBACK = "127.0.0.1";
const ALL = "0.0.0.0";
/** The ports that a kind begins with. */
const PORTS = /** @type {Record<string, string>} */ ({ "tcp-server": "7788", "tcp-client": "", udp: "5000", forward: "8001" });

/** What has been filled in stays, while one looks elsewhere. */
const draft = { address: LOOPBACK, on: "machine", lan: "", host: "", title: "", encoding: "UTF-8", to: "", group: "", broadcast: false, ports: { ...PORTS } };

/** @type {import("../main.js").Maker} */
export function newView(store, value) {
  const kind = KINDS.includes(value) ? value : "tcp-server";
  const title = t("new.title");
  return { title, element: new NewForm(store, kind).element };
}

class NewForm {
  /**
   * @param {import("../store.js").Store} store
   * @param {string} kind
   */
  constructor(store, kind) {
    this.store = store;
    this.kind = kind;
    this.trouble = h("div");
    this.fields = h("div", { class: "column new-fields" });
    this.start = h("button", { class: "primary big", type: "submit", autofocus: true }, t("new.start"));
    const kinds = /** @type {[string, string][]} */ (KINDS.map((name) => [name, t(`kind.${name}`)]));
    this.element = h(
      "form",
      { class: "view page-width column new", onsubmit: (/** @type {Event} */ event) => this.onSubmit(event) },
      h("h1", null, t("new.title")),
      choice(t("new.kind"), kinds, kind, (name) => (location.hash = `#new=${name}`)),
      h("p", { class: "soft" }, t(`new.${kind}.hint`)),
      h("div", { class: "card column new-card" }, this.fields, this.trouble, h("div", { class: "row" }, this.start, h("span", { class: "small soft" }, t("new.start.hint")))),
    );
    this.show();
    setTimeout(() => this.start.focus(), 0);
  }

  get isOnLan() {
    return draft.on === "lan";
  }

  show() {
    const { kind } = this;
    const listens = kind !== "tcp-client";
    fill(
      this.fields,
      this.where(),
      listens && this.port(),
      listens && !this.isOnLan && this.address(),
      kind !== "tcp-server" && this.to(),
      kind === "udp" && this.udp(),
      this.more(),
    );
  }

  /** The real machine, or a host of a LAN. */
  where() {
    const lans = this.store.all("lans");
    const on = choice(t("new.where"), [["machine", t("place.machine")], ["lan", t("new.where.lan")]], draft.on, (value) => {
      draft.on = value;
      keepFocus(this.fields, () => this.show());
    });
    /** @type {HTMLElement[]} */
    const more = [];
    if (this.isOnLan) {
      if (!lans.some((one) => one.lan === draft.lan)) draft.lan = lans[0]?.lan ?? "";
      const hosts = this.hosts.map((name) => /** @type {[string, string]} */ ([name, name]));
      if (!this.hosts.includes(draft.host)) draft.host = this.kind === "tcp-client" ? "client" : "server";
      if (!this.hosts.includes(draft.host)) [draft.host = ""] = this.hosts;
      const titles = /** @type {[string, string][]} */ ([...lans.map((one) => [one.lan, one.title]), ["", t("new.lan.fresh")]]);
      more.push(
        select(t("new.lan"), titles, draft.lan, (lan) => {
          draft.lan = lan;
          draft.host = "";
          keepFocus(this.fields, () => this.show());
        }),
        select(t("new.host"), hosts, draft.host, (host) => (draft.host = host)),
      );
    }
    return h("div", { class: "field" }, h("span", { class: "name" }, t("new.where")), h("div", { class: "row" }, on, more), h("span", { class: "hint" }, t(this.isOnLan ? "new.where.lan.hint" : "new.where.machine.hint")));
  }

  /** @returns {string[]} */
  get hosts() {
    const lan = this.store.get("lans", draft.lan);
    return lan ? lan.hosts.map((/** @type {any} */ one) => one.host) : ["client", "server"];
  }

  port() {
    const { kind } = this;
    const ports = /** @type {Record<string, string>} */ (draft.ports);
    const input = h("input", { type: "number", min: "0", max: "65535", class: "short", required: kind !== "udp", value: ports[kind], "aria-label": t("new.port"), oninput: () => (ports[kind] = input.value) });
    const chips = (this.store.about.ports ?? []).map((/** @type {number} */ port) => chip(String(port), () => {
      input.value = String(port);
      ports[kind] = String(port);
    }));
    return h("div", { class: "field" }, h("span", { class: "name" }, t("new.port")), h("div", { class: "row" }, input, h("span", { class: "chips" }, chips)), kind === "udp" && h("span", { class: "hint" }, t("new.port.udp")));
  }

  /** Which of this machine's addresses. */
  address() {
    const others = (this.store.about.addresses ?? []).filter((/** @type {any} */ one) => one.address !== LOOPBACK);
    const options = /** @type {[string, string, string][]} */ ([
      [LOOPBACK, LOOPBACK, t("new.address.loopback")],
      ...others.map((/** @type {any} */ one) => [one.address, `${one.address}`, one.interface]),
    ]);
    const isAll = draft.address === ALL;
    const warning = h("div", { class: "warning-card", role: "alert" }, t("new.address.warning"));
    warning.hidden = draft.address === LOOPBACK;
    const one = choice(t("new.address"), options, draft.address, (address) => {
      draft.address = address;
      all.box.checked = false;
      warning.hidden = address === LOOPBACK;
    });
    const all = tick(t("new.address.all"), isAll, (isOn) => {
      draft.address = isOn ? ALL : LOOPBACK;
      one.show(draft.address);
      warning.hidden = !isOn;
    });
    return h("div", { class: "field" }, h("span", { class: "name" }, t("new.address")), one, all, warning);
  }

  to() {
    const { kind } = this;
    const wanted = kind === "udp" ? "open" : "listening";
    const servers = this.store.all("sessions").filter((one) => one.local && one.state === wanted && this.isNear(one));
    const beginning = this.isOnLan ? "10.0.0.2:7788" : `${LOOPBACK}:7788`;
    const input = h("input", { class: "mono", required: kind !== "udp", value: draft.to || (kind === "udp" ? "" : beginning), placeholder: beginning, spellcheck: false, autocapitalize: "off", oninput: () => (draft.to = input.value.trim()), name: "to" });
    const chips = servers.slice(0, 8).map((one) => chip(one.local.replace(/^0\.0\.0\.0:/, `${LOOPBACK}:`), (text) => {
      input.value = text;
      draft.to = text;
    }, nameOf(one)));
    this.toInput = input;
    return h("div", { class: "column" }, field(t(`new.to.${kind}`), input, t(`new.to.${kind}.hint`)), chips.length > 0 && h("div", { class: "chips" }, h("span", { class: "small soft" }, t("new.to.open")), chips));
  }

  /** @param {any} session that could be reached from where this one will be */
  isNear(session) {
    return this.isOnLan ? session.place.on === "lan" && session.place.lan === draft.lan : session.place.on === "machine";
  }

  udp() {
    const group = h("input", { class: "mono", value: draft.group, placeholder: "239.7.7.8", spellcheck: false, oninput: () => (draft.group = group.value) });
    return h("div", { class: "column" }, tick(t("new.broadcast"), draft.broadcast, (isOn) => (draft.broadcast = isOn), t("new.broadcast.hint")), field(t("new.join"), group, t("new.join.hint")));
  }

  more() {
    const name = h("input", { value: draft.title, maxLength: 60, placeholder: t("new.name.hint"), oninput: () => (draft.title = name.value) });
    const encodings = /** @type {[string, string][]} */ ((this.store.about.encodings ?? ["UTF-8"]).map((/** @type {string} */ one) => [one, one]));
    const encoding = select(t("log.encoding"), encodings, draft.encoding, (one) => (draft.encoding = one));
    return h("details", { class: "new-more" }, h("summary", null, t("new.more")), h("div", { class: "row" }, field(t("new.name"), name), field(t("log.encoding"), encoding)));
  }

  /** @param {Event} event */
  async onSubmit(event) {
    event.preventDefault();
    this.start.disabled = true;
    try {
      const { session } = await this.store.ask("session.open", await this.wanted());
      draft.title = "";
      await this.store.becomes("sessions", session);
      addEventListener("hashchange", () => requestAnimationFrame(() => document.querySelector("textarea")?.focus()), { once: true });
      location.hash = `#session=${session}`;
    } catch (reason) {
      if (reason instanceof Trouble) fill(this.trouble, troubleCard(reason));
      else complain(reason);
      this.start.disabled = false;
    }
  }

  /** What is asked for; a LAN is opened first, where a new one is wanted. */
  async wanted() {
    const { kind } = this;
    /** @type {Record<string, any>} */
    const wanted = { kind, settings: { encoding: draft.encoding } };
    if (draft.title) wanted.title = draft.title;
    if (this.isOnLan) {
      if (!draft.lan) draft.lan = (await this.store.ask("lan.open", { title: t("new.lan.title") })).lan;
      wanted.place = { on: "lan", lan: draft.lan, host: draft.host };
    } else {
      wanted.place = { on: "machine" };
      if (kind !== "tcp-client") wanted.address = draft.address;
    }
    const port = /** @type {Record<string, string>} */ (draft.ports)[kind];
    if (kind !== "tcp-client" && port !== "") wanted.port = Number(port);
    const to = this.toInput?.value.trim();
    if (kind !== "tcp-server" && to) wanted.to = to;
    if (kind === "udp") {
      wanted.broadcast = draft.broadcast;
      wanted.join = draft.group.split(/[\s,]+/).filter(Boolean);
    }
    return wanted;
  }
}

/**
 * @param {string} text
 * @param {(text: string) => void} onChoose
 * @param {string} [title]
 */
function chip(text, onChoose, title) {
  return h("button", { type: "button", class: "chip", title: title ?? "", onclick: () => onChoose(text) }, text);
}
