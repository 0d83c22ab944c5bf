// A TCP client of the page, and Python programs that listen.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";
import { freePort } from "../support/program.js";

test("connects, sends and receives, and sees the end", async (look) => {
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("TCP client", { to: `127.0.0.1:${listening}` });
  await look.is("connected");
  await server.tells("connected");
  await look.send("question");
  await server.hears("question");
  server.send("answer");
  await look.logs("answer");
  await look.page.getByText("6 B in 1 calls").waitFor();
  server.do({ close: 1 });
  await look.is("closed");
  await look.logs(/FIN/);
});

test("closing it is a FIN for the server", async (look) => {
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("TCP client", { to: `127.0.0.1:${listening}` });
  await look.is("connected");
  await look.button("Close").click();
  assert.equal((await server.tells("ended")).ended, "fin");
  await look.is("closed");
});

test("SO_LINGER 0 makes of closing a reset", async (look) => {
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("TCP client", { to: `127.0.0.1:${listening}` });
  await look.is("connected");
  await look.tab("Options");
  await look.page.getByRole("checkbox", { name: "SO_LINGER 0" }).check();
  await look.page.getByRole("checkbox", { name: "SO_LINGER 0", checked: true }).waitFor();
  await look.button("Close").click();
  assert.equal((await server.tells("ended")).ended, "reset");
});

test("speaks first, where it has a greeting", async (look) => {
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("TCP client", { to: `127.0.0.1:${listening}` });
  await look.is("connected");
  await look.tab("Options");
  await look.page.getByRole("checkbox", { name: "Greeting" }).check();
  await look.page.getByRole("textbox", { name: "Greeting" }).waitFor();
  await look.button("Close").click();
  await look.is("closed");
  await look.button("Open again").click();
  await look.is("connected");
  await server.hears("hello");
});

test("connects again by itself, as often as it takes", async (look) => {
  const port = await freePort();
  await look.open("TCP client", { to: `127.0.0.1:${port}` });
  await look.is("failed");
  await look.tab("Options");
  await look.page.getByRole("checkbox", { name: "Connect again by itself" }).check();
  await look.page.getByRole("spinbutton", { name: "after, ms" }).fill("100");
  await look.page.keyboard.press("Tab");
  await look.button("Open again").click();
  await look.is("waiting to connect again");
  const server = look.program("tcp", "listen", port);
  await server.tells("connected");
  await look.is("connected");
  server.do({ close: 1 });
  await server.tells("connected");
  await look.is("connected");
  await look.send("still here");
  await server.hears("still here");
});

test("several sessions have tabs, which keep what was being written", async (look) => {
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("TCP client", { to: `127.0.0.1:${listening}`, name: "first" });
  await look.is("connected");
  await look.text.fill("half a thou");
  await look.open("TCP client", { to: `127.0.0.1:${listening}`, name: "second" });
  await look.is("connected");
  assert.equal(await look.text.inputValue(), "");
  await look.tab("first");
  assert.equal(await look.text.inputValue(), "half a thou");
  await look.page.getByRole("tab", { name: "first" }).press("ArrowRight");
  await look.page.getByRole("tab", { name: "second", selected: true }).waitFor();
  await look.button("Close the tab of second").click();
  await look.page.getByRole("tab", { name: "first", selected: true }).waitFor();
  // The session goes on without its tab.
  await look.page.getByRole("link", { name: "second" }).click();
  await look.is("connected");
});
