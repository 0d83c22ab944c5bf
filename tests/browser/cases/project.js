// Projects as files, and scenarios as links, which ask before they open anything.

import assert from "node:assert/strict";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "../support/assistant.js";
import { freePort } from "../support/program.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** @param {Look} look */
async function home(look) {
  await look.page.goto(new URL("/#home", look.url).href);
}

/** @param {Look} look @param {string} path */
async function load(look, path) {
  await home(look);
  const chosen = look.page.waitForEvent("filechooser");
  await look.button("Load a project…").click();
  await (await chosen).setFiles(path);
}

test("a project is saved, and opens the same again", async (look) => {
  const { page } = look;
  const port = await look.server({ port: await freePort(), name: "the saved one", encoding: "GBK" });
  await look.tab("Auto-reply");
  await page.getByRole("radio", { name: "Echo" }).check();
  await home(look);
  const download = page.waitForEvent("download");
  await look.button("Save project").click();
  const path = join(await mkdtemp(join(tmpdir(), "sockeye-browser-")), "project.json");
  await (await download).saveAs(path);
  const saved = JSON.parse(await readFile(path, "utf8"));
  const { sessions } = saved;
  const [one] = sessions.filter((/** @type {any} */ session) => session.title === "the saved one");
  assert.deepEqual([one.kind, one.port, one.settings.encoding], ["tcp-server", port, "GBK"]);

  await page.getByRole("link", { name: "the saved one" }).click();
  await look.button("Close").click();
  await look.button("Remove").click();
  await page.getByRole("link", { name: "the saved one" }).waitFor({ state: "detached" });
  await writeFile(path, JSON.stringify({ ...saved, sessions: [one] }));
  await load(look, path);
  await page.getByRole("heading", { name: "Open this scenario?" }).waitFor();
  await page.getByText(`127.0.0.1:${port}`).waitFor();
  await look.button("Open").click();
  await look.is("listening");
  const client = await look.client(port);
  client.send("echo");
  await client.hears("echo");
});

test("what is no project is said to be none", async (look) => {
  const path = join(await mkdtemp(join(tmpdir(), "sockeye-browser-")), "bad.json");
  await writeFile(path, "[1, 2");
  await load(look, path);
  await look.page.getByText("This is no project of Sockeye").waitFor();
  await writeFile(path, '{"version": 1, "sessions": [{"kind": "tcp-server", "port": "many"}]}');
  await load(look, path);
  await look.button("Open").click();
  await look.page.locator(".trouble").filter({ hasText: /port/ }).waitFor();
});

test("a link asks, warns, and opens only then", async (look) => {
  const { page } = look;
  const port = await freePort();
  await look.server({ port, name: "linked" });
  await page.locator(".session-head").getByRole("button", { name: "More" }).click();
  await look.button("Copy link to this session").click();
  await page.getByText("Copied.").waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await look.button("Close").click();
  await look.button("Remove").click();
  await page.getByRole("link", { name: "linked" }).waitFor({ state: "detached" });
  await page.goto(link);
  await page.getByRole("heading", { name: "Open this scenario?" }).waitFor();
  const early = look.program("tcp", "connect", port);
  await early.tells("error");
  await look.button("Open").click();
  await look.is("listening");
  await look.client(port);
});

test("a link to another machine, or one that others can reach, warns", async (look) => {
  const { page } = look;
  const scenario = {
    version: 1,
    sessions: [
      { kind: "tcp-server", address: "0.0.0.0", port: 4000 },
      { kind: "tcp-client", to: "192.0.2.77:80", title: "<img src=x onerror=alert(1)>" },
    ],
  };
  const code = Buffer.from(JSON.stringify(scenario)).toString("base64url");
  await page.goto(new URL(`/#scenario=${code}`, look.url).href);
  const warning = page.getByRole("alert").filter({ hasText: "0.0.0.0:4000 can be reached by other machines" });
  await warning.waitFor();
  await warning.getByText(/It talks to 192\.0\.2\.77:80/).waitFor();
  await page.getByText("<img src=x onerror=alert(1)>").first().waitFor();
  await page.getByRole("link", { name: "Do not open" }).click();
  await page.getByRole("heading", { name: "Send, receive, and see why" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "4000" }).count(), 0);
  await page.goto(new URL("/#scenario=broken!", look.url).href);
  await page.getByText("This is no project of Sockeye").waitFor();
});
