// The API of docs/web-api.md, over one WebSocket that is opened again when it is lost.

/** @typedef {{code: string, words: string, next: string, facts: Record<string, any>}} TroubleFacts */

/** What a request was refused with. */
export class Trouble extends Error {
  /** @param {TroubleFacts} facts */
  constructor(facts) {
    super(facts.words);
    this.code = facts.code;
    this.words = facts.words;
    this.next = facts.next;
    this.facts = facts.facts ?? {};
  }
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;

export class Api {
  /**
   * @param {(news: Record<string, any>, isFirst: boolean) => void} onNews
   * @param {(isThere: boolean) => void} onConnection
   */
  constructor(onNews, onConnection) {
    this.onNews = onNews;
    this.onConnection = onConnection;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (reason: Trouble) => void}>} */
    this.asked = new Map();
    this.last = 0;
    this.wait = FIRST_WAIT_MS;
    /** @type {string[]} */
    this.unsent = [];
    this.open();
  }

  open() {
    const socket = new WebSocket(`ws://${location.host}/api/live`);
    this.socket = socket;
    let isFirst = true;
    socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.onConnection(true);
      for (const text of this.unsent.splice(0)) socket.send(text);
    };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.news) {
        this.onNews(message.news, isFirst);
        isFirst = false;
        return;
      }
      const asked = this.asked.get(message.id);
      this.asked.delete(message.id);
      if (message.error) asked?.reject(new Trouble(message.error));
      else asked?.resolve(message.ok);
    };
    socket.onclose = () => {
      this.onConnection(false);
      const trouble = new Trouble({ code: "no-assistant", words: "the assistant does not answer", next: "start `sockeye web` again, and open the address it prints", facts: {} });
      for (const { reject } of this.asked.values()) reject(trouble);
      this.asked.clear();
      this.unsent = [];
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
    };
  }

  /**
   * Asks for something. Rejects with a `Trouble`.
   * @param {string} what
   * @param {Record<string, any>} [parameters]
   * @returns {Promise<any>}
   */
  ask(what, parameters = {}) {
    const id = ++this.last;
    const text = JSON.stringify({ ...parameters, id, do: what });
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject });
      if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
      else this.unsent.push(text);
    });
  }
}
