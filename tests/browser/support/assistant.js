// An assistant, a browser that looks at it, and what somebody does there. One of each serves all cases of a file; each case has a
// page, with storage of its own, and programs that end with it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, test as nodeTest } from "node:test";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Program } from "./program.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Locator} Locator */

const PATIENCE_MS = 10_000;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** @type {Promise<{url: string, child: import("node:child_process").ChildProcess}> | undefined} */
let serving;
/** @type {Promise<import("playwright-core").Browser> | undefined} */
let browsing;

// Whoever is interrupted leaves nothing running.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

after(async () => {
  await (await browsing)?.close();
  (await serving)?.child.kill("SIGINT");
});

/** Starts `sockeye web`, once, and says its address with the token. */
export function assistant() {
  serving ??= new Promise((resolve, reject) => {
    const child = spawn(process.env.SOCKEYE ?? "target/debug/sockeye", ["web", "--no-open", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
    process.once("exit", () => child.kill());
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`sockeye web has ended with ${code}`)));
    createInterface({ input: /** @type {import("node:stream").Readable} */ (child.stdout) }).once("line", (url) => resolve({ url, child }));
  });
  return serving;
}

export function browser() {
  browsing ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  return browsing;
}

/**
 * A case. What the page complains of in its console, or throws, fails it.
 * @param {string} name
 * @param {(look: Look) => Promise<void>} run
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export function test(name, run, options) {
  nodeTest(name, async () => {
    const { url } = await assistant();
    const context = await (await browser()).newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, locale: "en-GB", permissions: ["clipboard-read", "clipboard-write"], ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const look = new Look(await context.newPage(), url);
    try {
      await look.page.goto(url);
      await run(look);
      assert.deepEqual(look.complaints, []);
    } catch (reason) {
      const { SCREENSHOTS } = process.env;
      if (SCREENSHOTS) await look.page.screenshot({ path: join(SCREENSHOTS, `${name.replace(/[^a-z0-9]+/gi, "-")}.png`) });
      if (look.complaints.length > 0) console.log(`the page complained: ${look.complaints.join("\n")}`);
      throw reason;
    } finally {
      for (const program of look.programs) program.end();
      await context.close();
    }
  });
}

/** Somebody before the page. */
export class Look {
  /** @type {Program[]} */
  programs = [];
  /** @type {string[]} */
  complaints = [];

  /** @param {Page} page @param {string} url */
  constructor(page, url) {
    this.page = page;
    this.url = url;
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
  }

  /** @param {string} name @param {...(string | number)} parameters */
  program(name, ...parameters) {
    const program = new Program(name, parameters);
    this.programs.push(program);
    return program;
  }

  /** @param {string} name */
  button(name, exact = true) {
    return this.page.getByRole("button", { name, exact });
  }

  /** @param {string} name */
  tab(name) {
    return this.page.getByRole("tab", { name, exact: true }).click();
  }

  /**
   * Opens a session by the form, on a port that is free unless one is given.
   * @param {"TCP server" | "TCP client" | "UDP" | "Forward"} kind
   * @param {{port?: number | string, to?: string, encoding?: string, name?: string, before?: () => Promise<void>}} [wanted]
   */
  async open(kind, wanted = {}) {
    const { page } = this;
    await page.goto(new URL(`/#new=${kind.toLowerCase().replace(" ", "-")}`, this.url).href);
    if (kind !== "TCP client") await page.getByLabel("Port", { exact: true }).fill(String(wanted.port ?? 0));
    if (wanted.to) await page.getByRole("textbox", { name: /^(Connect|Send|Pass on) to/ }).fill(wanted.to);
    if (wanted.encoding || wanted.name) await page.getByText("Name and encoding").click();
    if (wanted.encoding) await page.getByLabel("Encoding").selectOption(wanted.encoding);
    if (wanted.name) await page.getByRole("textbox", { name: "Name", exact: true }).fill(wanted.name);
    await wanted.before?.();
    await this.button("Start").click();
    await page.getByRole("region", { name: "Log", exact: true }).waitFor();
  }

  /** Waits for the session to be in a state. @param {string} state */
  async is(state) {
    await this.page.locator(".session-head").getByRole("status").filter({ hasText: new RegExp(`^${state}$`) }).waitFor();
  }

  /** A server, and where it listens. @param {Parameters<Look["open"]>[1]} [wanted] */
  async server(wanted) {
    await this.open("TCP server", wanted);
    await this.is("listening");
    return this.port();
  }

  /** The port of the session that is shown. */
  async port() {
    const addresses = (await this.page.locator(".addresses").textContent()) ?? "";
    return Number(/:(\d+)/.exec(addresses)?.[1]);
  }

  /** A client of a server of ours, connected. @param {number} port */
  async client(port) {
    const client = this.program("tcp", "connect", port);
    const { local } = await client.tells("connected");
    return Object.assign(client, { local: String(local) });
  }

  /** @param {number} port @param {number} count */
  async clients(port, count) {
    const clients = [await this.client(port)];
    while (clients.length < count) clients.push(await this.client(port));
    return clients;
  }

  get sendBox() {
    return this.page.getByRole("region", { name: "Send", exact: true });
  }

  get text() {
    return this.sendBox.getByRole("textbox", { name: "What to send" });
  }

  /** Types a text into the send box and sends it. @param {string} text */
  async send(text) {
    await this.text.fill(text);
    await this.sendBox.locator("button.send").click();
  }

  /** The lines of the log that are in view. @param {string | RegExp} [hasText] */
  lines(hasText) {
    const lines = this.page.getByRole("listbox", { name: "Log" }).getByRole("option");
    return hasText === undefined ? lines : lines.filter({ hasText });
  }

  /** Waits for a line of the log. @param {string | RegExp} text */
  async logs(text) {
    await this.lines(text).first().waitFor();
  }

  /**
   * Sees that something becomes true, or says why it did not.
   * @param {() => Promise<void> | void} check
   */
  async sees(check, patience = PATIENCE_MS) {
    const until = Date.now() + patience;
    for (;;) {
      try {
        return await check();
      } catch (reason) {
        if (Date.now() > until) throw reason;
        await this.page.evaluate(() => new Promise(requestAnimationFrame));
      }
    }
  }
}
