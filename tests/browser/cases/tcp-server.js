// A TCP server of the page, and Python programs that connect to it.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";
import { freePort } from "../support/program.js";

test("clients are listed with address, state, bytes and encoding", async (look) => {
  const { page } = look;
  const client = await look.client(await look.server());
  const row = page.getByRole("listitem").filter({ hasText: client.local });
  await row.getByText("connected", { exact: true }).waitFor();
  client.send("twelve bytes");
  await look.logs("twelve bytes");
  await look.send("seven b");
  await client.hears("seven b");
  await row.getByText("← 12 B").waitFor();
  await row.getByText("→ 7 B").waitFor();
  await row.getByLabel("Encoding of this peer").selectOption("GBK");
  client.send(Buffer.from("c4e3bac3", "hex"));
  await look.logs("你好");
  client.do({ close: 1 });
  await row.getByText("closed", { exact: true }).waitFor();
});

test("sends to one, to some, and to all", async (look) => {
  const port = await look.server();
  const clients = await look.clients(port, 3);
  const box = (/** @type {number} */ place) => look.page.getByRole("checkbox", { name: clients[place].local });
  await look.send("all");
  for (const client of clients) await client.hears("all");
  await box(0).check();
  await look.button("Send to 1").waitFor();
  await look.send("one");
  await clients[0].hears("one");
  await box(2).check();
  await look.button("Send to 2").waitFor();
  await look.send("two");
  await clients[0].hears("two");
  await clients[2].hears("two");
  assert.deepEqual(clients[1].told, [], "who is not ticked hears nothing");
  await look.page.getByRole("checkbox", { name: "All", exact: true }).check();
  await look.button("Send to 3").waitFor();
  await look.page.getByRole("checkbox", { name: "All", exact: true }).uncheck();
  await look.send("again");
  for (const client of clients) await client.hears("again");
});

test("speaks first to whoever connects", async (look) => {
  const port = await look.server();
  await look.tab("Options");
  await look.page.getByRole("checkbox", { name: "Greeting" }).check();
  const greeting = look.page.getByRole("textbox", { name: "Greeting" });
  await greeting.fill("220 welcome");
  await look.page.locator(".option").filter({ has: greeting }).getByLabel("Line ending").selectOption("crlf");
  // The settings follow typing a moment later.
  await look.sees(async () => {
    const { received } = await (await look.client(port)).tells("received");
    assert.equal(Buffer.from(received, "base64").toString(), "220 welcome\r\n");
  });
});

test("disconnects one and all, by FIN and by RST, as the programs see it", async (look) => {
  const port = await look.server();
  const clients = await look.clients(port, 4);
  await look.page.getByText("4 connected").waitFor();
  const box = (/** @type {number} */ place) => look.page.getByRole("checkbox", { name: clients[place].local });
  await box(0).check();
  await look.button("Disconnect (FIN)", false).click();
  assert.equal((await clients[0].tells("ended")).ended, "fin");
  await look.page.getByText("3 connected").waitFor();
  await box(1).check();
  await look.page.getByText("Reset (RST)").click();
  assert.equal((await clients[1].tells("ended")).ended, "reset");
  await look.page.getByText("2 connected").waitFor();
  await look.page.getByText("Reset (RST)").click();
  for (const client of clients.slice(2)) assert.equal((await client.tells("ended")).ended, "reset");
  const last = await look.client(port);
  await look.page.getByText("1 connected").waitFor();
  await look.page.getByText("Disconnect (FIN)").click();
  assert.equal((await last.tells("ended")).ended, "fin");
  await look.page.getByText("0 connected").waitFor();
});

test("closes, and opens again on the same port", async (look) => {
  const port = await look.server({ port: await freePort() });
  const client = await look.client(port);
  await look.button("Close").click();
  await look.is("closed");
  assert.equal((await client.tells("ended")).ended, "fin");
  await look.button("Open again").click();
  await look.is("listening");
  assert.equal(await look.port(), port);
  await look.client(port);
  await look.button("Close").click();
  await look.button("Remove").click();
  await look.page.getByRole("link", { name: String(port) }).waitFor({ state: "detached" });
});
