// A Python program on the kernel's sockets: told what to do, and telling what it sees, in lines of JSON (programs/).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PATIENCE_MS = 10_000;

/** @typedef {Record<string, any>} Told */

/** A port where nobody listens now. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

export class Program {
  /** @type {Told[]} what it told and nobody has asked for yet */
  told = [];
  /** @type {(() => void)[]} */
  waiting = [];
  /** How long it may take to tell something. */
  patience = PATIENCE_MS;

  /**
   * @param {string} name of a file in programs/
   * @param {(string | number)[]} parameters
   */
  constructor(name, parameters) {
    const path = fileURLToPath(new URL(`../programs/${name}.py`, import.meta.url));
    this.child = spawn("python3", [path, ...parameters.map(String)], { stdio: ["pipe", "pipe", "inherit"] });
    this.child.stdin.on("error", () => {});
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.told.push(JSON.parse(line));
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  /** @param {Told} what */
  do(what) {
    this.child.stdin.write(`${JSON.stringify(what)}\n`);
  }

  /** @param {string | Uint8Array} bytes @param {Told} [more] */
  send(bytes, more = {}) {
    this.do({ ...more, send: Buffer.from(bytes).toString("base64") });
  }

  /**
   * What it tells next that has such a member; what it told before that is dropped.
   * @param {string} member
   * @returns {Promise<Told>}
   */
  async tells(member) {
    const until = Date.now() + this.patience;
    for (;;) {
      const place = this.told.findIndex((one) => member in one);
      if (place >= 0) return this.told.splice(0, place + 1)[place];
      await this.more(until, `it never told \`${member}\``);
    }
  }

  /**
   * So many bytes, however many calls they take.
   * @param {number} count
   */
  async bytes(count) {
    const until = Date.now() + this.patience;
    for (;;) {
      const received = Buffer.concat(this.told.filter((one) => "received" in one).map((one) => Buffer.from(one.received, "base64")));
      if (received.length >= count) {
        this.told = this.told.filter((one) => !("received" in one));
        return received;
      }
      await this.more(until, `only ${received.length} of ${count} bytes: ${received.toString("latin1").slice(0, 200)}`);
    }
  }

  /** @param {string} text that it is to receive next, and nothing else */
  async hears(text) {
    const received = (await this.bytes(Buffer.byteLength(text))).toString();
    if (received !== text) throw new Error(`it received ${JSON.stringify(received)} instead of ${JSON.stringify(text)}`);
  }

  /** @param {number} until @param {string} otherwise */
  more(until, otherwise) {
    return /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(otherwise)), Math.max(0, until - Date.now()));
      this.waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    }));
  }

  end() {
    this.child.kill("SIGKILL");
  }
}
