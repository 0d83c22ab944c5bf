// What goes wrong is said in plain words, with what to do next.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";
import { freePort } from "../support/program.js";

test("refused: nobody listens there", async (look) => {
  const port = await freePort();
  await look.open("TCP client", { to: `127.0.0.1:${port}` });
  await look.is("failed");
  const trouble = look.page.locator(".session-trouble");
  await trouble.getByText(`cannot connect to 127.0.0.1:${port}`).waitFor();
  await trouble.getByText(/start the server, or correct the port/).waitFor();
});

test("nothing answers: it is seen to connect, and closing gives up", async (look) => {
  const server = look.program("tcp", "full");
  const { listening } = await server.tells("listening");
  await look.open("TCP client", { to: `127.0.0.1:${listening}` });
  await look.is("connecting");
  await look.button("Close").click();
  await look.is("closed");
});

test("reset: the other end hung up hard", async (look) => {
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("TCP client", { to: `127.0.0.1:${listening}` });
  await look.is("connected");
  await server.tells("connected");
  server.do({ reset: 1 });
  await look.logs(/reset/i);
  await look.page.locator(".session-trouble").getByText(/RST/).waitFor();
});

test("address in use: who holds it", async (look) => {
  const holder = look.program("tcp", "listen");
  const { listening } = await holder.tells("listening");
  await look.open("TCP server", { port: listening });
  await look.is("failed");
  const trouble = look.page.locator(".session-trouble");
  await trouble.getByText(/python3/).waitFor();
  await trouble.getByText(String(holder.child.pid)).first().waitFor();
  await trouble.locator(".next").waitFor();
  holder.end();
  await look.sees(async () => {
    await look.button("Open again").click({ timeout: 1000 });
    await look.is("listening");
  });
});

test("an address that makes no sense, and a name that nobody knows", async (look) => {
  const { page } = look;
  await page.goto(new URL("/#new=tcp-client", look.url).href);
  const to = page.getByRole("textbox", { name: "Connect to" });
  await to.fill("no port here");
  await look.button("Start").click();
  await page.getByText(/HOST:PORT|ADDRESS:PORT/).or(page.locator(".trouble")).first().waitFor();
  const where = page.locator(".trouble").first();
  await where.waitFor();
  assert.match((await where.textContent()) ?? "", /no port here/);
});

test("sending to nobody, and after the end", async (look) => {
  const { page } = look;
  const port = await look.server();
  await look.send("to whom?");
  await page.locator(".toasts").getByText("nobody is connected").waitFor();
  const client = await look.client(port);
  await page.getByText("1 connected").waitFor();
  client.do({ close: 1 });
  await page.getByText("closed", { exact: true }).waitFor();
  await look.send("too late");
  await page.locator(".toasts").getByText("nobody is connected").nth(1).waitFor();
});

test("a peer that does not read: said, and sent when it reads", async (look) => {
  const { page } = look;
  const client = await look.client(await look.server());
  await page.getByText("1 connected").waitFor();
  client.do({ stop_reading: true });
  client.send("silent now");
  await client.tells("sent");
  await look.logs("silent now");
  await look.text.fill("x".repeat(60_000));
  await look.sees(async () => {
    await look.sendBox.locator("button.send").click();
    await page.locator(".toasts").getByText(/does not read/).first().waitFor({ timeout: 100 });
  }, 30_000);
});
