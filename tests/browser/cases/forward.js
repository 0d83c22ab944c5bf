// The forwarder: a proxy between two programs that shows both sides.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";
import { freePort } from "../support/program.js";

test("passes both directions on, and shows both sides", async (look) => {
  const { page } = look;
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("Forward", { to: `127.0.0.1:${listening}` });
  await look.is("listening");
  const client = await look.client(await look.port());
  await server.tells("connected");
  client.send("GET /");
  await server.hears("GET /");
  server.send("200 OK");
  await client.hears("200 OK");
  await look.sees(async () => assert.equal(await look.lines("GET /").count(), 2));
  await look.sees(async () => assert.equal(await look.lines("200 OK").count(), 2));
  await page.getByText("The client's connection").waitFor();
  await page.getByText(`The connection to 127.0.0.1:${listening}`).waitFor();
  await page.getByText(`→ 127.0.0.1:${listening}`).waitFor();
  const sides = await look.lines("GET /").evaluateAll((lines) => lines.map((line) => line.lastElementChild?.className.includes("side-empty")));
  assert.deepEqual(sides, [true, false], "it comes on the client's side, and goes on the server's");
});

test("an end on one side is an end on the other; a reset stays a reset", async (look) => {
  const server = look.program("tcp", "listen");
  const { listening } = await server.tells("listening");
  await look.open("Forward", { to: `127.0.0.1:${listening}` });
  await look.is("listening");
  const port = await look.port();
  const polite = await look.client(port);
  await server.tells("connected");
  polite.do({ close: 1 });
  assert.equal((await server.tells("ended")).ended, "fin");
  const rude = await look.client(port);
  await server.tells("connected");
  rude.do({ reset: 1 });
  assert.equal((await server.tells("ended")).ended, "reset");
});

test("a server that is not there is said, and the client is let go", async (look) => {
  const nobody = await freePort();
  await look.open("Forward", { to: `127.0.0.1:${nobody}` });
  await look.is("listening");
  // It is reset before or after its connect() has returned.
  look.program("tcp", "connect", await look.port());
  await look.logs(/refused/i);
  await look.page.getByRole("listitem").getByText("closed", { exact: true }).waitFor();
  await look.is("listening");
});
