// What the assistant has told: the entities of the news, and who shows them.

import { Api } from "./api.js";

/** @typedef {"sessions" | "lans" | "recordings"} Kind */
/** @typedef {(entity: any | null) => void} Listener */

/** How long something that has been opened may take to be told of, or to be as it should. */
const WAITS_MS = 5000;

export class Store extends EventTarget {
  constructor() {
    super();
    /** @type {Record<string, any>} */
    this.about = {};
    /** @type {Record<Kind, Map<string, any>>} */
    this.entities = { sessions: new Map(), lans: new Map(), recordings: new Map() };
    /** @type {Map<string, Set<Listener>>} */
    this.listeners = new Map();
    this.isConnected = false;
    this.api = new Api(
      (news, isFirst) => this.hear(news, isFirst),
      (isThere) => {
        this.isConnected = isThere;
        this.dispatchEvent(new Event("connection"));
      },
    );
  }

  /**
   * @param {Record<string, any>} news
   * @param {boolean} isFirst
   */
  hear(news, isFirst) {
    if (news.about) this.about = news.about;
    /** @type {[Kind, string][]} */
    const changed = [];
    for (const kind of /** @type {Kind[]} */ (Object.keys(this.entities))) {
      const known = this.entities[kind];
      const told = news[kind] ?? {};
      if (isFirst) {
        for (const id of [...known.keys()]) if (!(id in told)) told[id] = null;
      }
      for (const [id, entity] of Object.entries(told)) {
        if (entity === null) known.delete(id);
        else known.set(id, entity);
        changed.push([kind, id]);
      }
    }
    for (const [kind, id] of changed) {
      for (const listener of this.listeners.get(`${kind}/${id}`) ?? []) listener(this.entities[kind].get(id) ?? null);
    }
    this.dispatchEvent(new Event("news"));
  }

  /**
   * @param {Kind} kind
   * @param {string} id
   */
  get(kind, id) {
    return this.entities[kind].get(id) ?? null;
  }

  /** @param {Kind} kind */
  all(kind) {
    return [...this.entities[kind].values()];
  }

  /**
   * Calls `listener` now and whenever the entity changes, until `signal` says stop.
   * @param {Kind} kind
   * @param {string} id
   * @param {Listener} listener
   * @param {AbortSignal} signal
   */
  follow(kind, id, listener, signal) {
    const key = `${kind}/${id}`;
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners);
    listeners.add(listener);
    signal.addEventListener("abort", () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(key);
    });
    listener(this.get(kind, id));
  }

  /**
   * Waits until an entity is as it should be: there at all, unless `is` says more. Answers are faster than the news: what has just been
   * opened is not here yet. → whether it has come to that in time.
   * @param {Kind} kind
   * @param {string} id
   * @param {(entity: any) => boolean} [is]
   * @returns {Promise<boolean>}
   */
  becomes(kind, id, is = Boolean) {
    const done = new AbortController();
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(false), WAITS_MS);
      /** @param {boolean} isSo */
      const end = (isSo) => {
        clearTimeout(timer);
        done.abort();
        resolve(isSo);
      };
      this.follow(kind, id, (entity) => entity && is(entity) && queueMicrotask(() => end(true)), done.signal);
    });
  }

  /**
   * @param {string} what
   * @param {Record<string, any>} [parameters]
   */
  ask(what, parameters) {
    return this.api.ask(what, parameters);
  }
}
