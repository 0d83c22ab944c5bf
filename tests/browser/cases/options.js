// Options: each says what it does, and is what the kernel has then.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "../support/assistant.js";
import { freePort } from "../support/program.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** What the kernel tells of a connection, by its local port. @param {number} port */
function told(port) {
  return execFileSync("ss", ["-tnoiem", "state", "established", `sport = :${port}`], { encoding: "utf8" });
}

test("every option says what it does", async (look) => {
  await look.server();
  await look.tab("Options");
  const options = look.page.locator(".option");
  const count = await options.count();
  assert.ok(count >= 9, `${count} options`);
  for (const option of await options.all()) {
    assert.match((await option.locator(".soft").first().textContent()) ?? "", /\w.{20,}/, (await option.textContent()) ?? "");
  }
  for (const name of ["TCP_NODELAY", "SO_KEEPALIVE", "SO_LINGER 0", "SO_REUSEADDR"]) await look.page.getByRole("checkbox", { name }).waitFor();
  for (const name of ["SO_RCVBUF", "SO_SNDBUF", "IP_TTL", "Backlog", "Bytes per recv"]) await look.page.getByRole("spinbutton", { name }).waitFor();
});

test("keepalive, buffers and chunks take effect on living connections", async (look) => {
  const { page } = look;
  const port = await look.server();
  const client = await look.client(port);
  await look.tab("Options");
  await page.getByRole("checkbox", { name: "SO_KEEPALIVE" }).check();
  await page.getByRole("spinbutton", { name: "idle, s" }).fill("77");
  await page.keyboard.press("Tab");
  await look.sees(() => assert.match(told(port), /keepalive,1min1[67]sec/));
  await page.getByRole("spinbutton", { name: "SO_RCVBUF" }).fill("50000");
  await page.keyboard.press("Tab");
  // The kernel doubles it, for what it keeps beside the bytes (socket(7)).
  await look.sees(() => assert.match(told(port), /rb100000/));
  await page.getByRole("spinbutton", { name: "Bytes per recv" }).fill("4");
  await page.keyboard.press("Tab");
  // The recv() that waits already still has the buffer it was called with.
  client.send("one");
  await look.logs("one");
  client.send("abcdefgh");
  await look.logs(/4\s*abcd/);
  await look.logs(/4\s*efgh/);
});

test("what is out of range is brought into it", async (look) => {
  await look.server();
  await look.tab("Options");
  const ttl = look.page.getByRole("spinbutton", { name: "IP_TTL" });
  await ttl.fill("999");
  await look.page.keyboard.press("Tab");
  await look.sees(async () => assert.equal(await ttl.inputValue(), "255"));
});

test("SO_REUSEADDR off: TIME-WAIT keeps the port, which is explained", async (look) => {
  const { page } = look;
  const port = await look.server({ port: await freePort() });
  const client = await look.client(port);
  await page.getByText("1 connected").waitFor();
  await page.getByText("Disconnect (FIN)").click();
  await client.tells("ended");
  await page.getByText("0 connected").waitFor();
  await look.tab("Options");
  await page.getByRole("checkbox", { name: "SO_REUSEADDR" }).uncheck();
  await look.button("Close").click();
  await look.is("closed");
  await look.button("Open again").click();
  await look.is("failed");
  const trouble = page.locator(".session-trouble");
  await trouble.getByText(/TIME-WAIT/).first().waitFor();
  await trouble.getByText(/reuseaddr/i).first().waitFor();
  await page.getByRole("checkbox", { name: "SO_REUSEADDR" }).check();
  await look.button("Open again").click();
  await look.is("listening");
});
