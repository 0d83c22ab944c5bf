// UDP: to one, to all, to a group.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** @param {Look} look @param {string} address */
async function target(look, address) {
  await look.page.getByRole("textbox", { name: "Send to" }).fill(address);
}

test("one datagram to one, and the answer from there", async (look) => {
  const other = look.program("udp", 0);
  const { open } = await other.tells("open");
  await look.open("UDP");
  await look.is("open");
  const port = await look.port();
  await target(look, `127.0.0.1:${open}`);
  await look.send("ping");
  const { received, from } = await other.tells("received");
  assert.equal(Buffer.from(received, "base64").toString(), "ping");
  assert.deepEqual(from, ["127.0.0.1", port]);
  other.send("pong", { to: ["127.0.0.1", port] });
  await look.logs("pong");
  await look.page.getByText("1 heard").waitFor();
  await look.page.getByRole("listitem").filter({ hasText: `127.0.0.1:${open}` }).getByText("← 4 B").waitFor();
});

test("those that were heard of can be chosen, and answered together", async (look) => {
  await look.open("UDP");
  await look.is("open");
  const to = ["127.0.0.1", await look.port()];
  const others = [look.program("udp", 0), look.program("udp", 0)];
  for (const other of others) {
    await other.tells("open");
    other.send("hello", { to });
  }
  await look.page.getByText("2 heard").waitFor();
  await look.page.getByRole("checkbox", { name: "All", exact: true }).check();
  await look.button("Send to 2").waitFor();
  await look.send("to both");
  for (const other of others) await other.hears("to both");
});

test("a missing target is said in words", async (look) => {
  await look.open("UDP");
  await look.is("open");
  await look.send("whom?");
  await look.page.getByRole("alert").filter({ hasText: /HOST:PORT|address/i }).first().waitFor();
});

test("broadcast, where it is allowed", async (look) => {
  const other = look.program("udp", 0);
  const { open } = await other.tells("open");
  await look.open("UDP", { before: () => look.page.getByRole("checkbox", { name: "Broadcast" }).check() });
  await look.is("open");
  await target(look, `127.255.255.255:${open}`);
  await look.send("to everybody");
  await other.hears("to everybody");
});

test("broadcast without SO_BROADCAST is refused, with what to do", async (look) => {
  await look.open("UDP");
  await look.is("open");
  await target(look, "255.255.255.255:5000");
  await look.send("to everybody");
  await look.page.getByRole("alert").filter({ hasText: /broadcast/i }).first().waitFor();
});

test("multicast, both ways", async (look) => {
  const group = "239.7.7.8";
  const other = look.program("udp", 0, group);
  const { open } = await other.tells("open");
  await look.open("UDP", { before: () => look.page.getByRole("textbox", { name: "Join groups" }).fill(group) });
  await look.is("open");
  const port = await look.port();
  other.send("to the group", { to: [group, port] });
  await look.logs("to the group");
  await target(look, `${group}:${open}`);
  await look.send("from the page");
  await other.hears("from the page");
});

test("empty and the largest datagrams arrive as one", async (look) => {
  await look.open("UDP");
  await look.is("open");
  const other = look.program("udp", 0);
  const { open } = await other.tells("open");
  const to = ["127.0.0.1", await look.port()];
  await look.tab("Options");
  await look.page.getByRole("spinbutton", { name: "Bytes per recv" }).fill("65536");
  await look.page.keyboard.press("Tab");
  await look.tab("Target");
  await target(look, `127.0.0.1:${open}`);
  await look.send("");
  assert.equal((await other.tells("received")).received, "");
  await look.send("x".repeat(65_507));
  assert.equal(Buffer.from((await other.tells("received")).received, "base64").length, 65_507);
  await look.send("x".repeat(65_508));
  await look.page.getByRole("alert").filter({ hasText: /long|65507/ }).first().waitFor();
  other.send("y".repeat(60_000), { to });
  await look.logs(/60000/);
});
