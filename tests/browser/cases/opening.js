// Getting in, and the way to a first session.

import assert from "node:assert/strict";
import { request } from "node:http";
import { networkInterfaces } from "node:os";
import { test } from "../support/assistant.js";
import { freePort } from "../support/program.js";

test("the token becomes a cookie, and leaves the address", async (look) => {
  const { page, url } = look;
  assert.equal(page.url(), new URL("/", url).href);
  const cookies = await page.context().cookies();
  assert.deepEqual(cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite })), [
    { name: `sockeye-${new URL(url).port}`, httpOnly: true, sameSite: "Strict" },
  ]);
  await page.reload();
  await page.getByRole("heading", { name: "Send, receive, and see why" }).waitFor();
});

test("a wrong token, a strange host and a strange origin are refused", async (look) => {
  const { page, url } = look;
  await page.context().clearCookies();
  for (const path of ["/", "/?token=wrong", "/main.js", "/api/live"]) {
    assert.equal((await page.request.get(new URL(path, url).href, { maxRedirects: 0 })).status(), 401, path);
  }
  const token = new URL(url).searchParams.get("token");
  /** @type {(headers: Record<string, string>) => Promise<number | undefined>} */
  const status = (headers) =>
    new Promise((resolve, reject) => {
      const asked = request(new URL("/api/do", url), { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.on("error", reject);
      asked.end('{"do": "project.save"}');
    });
  assert.equal(await status({}), 200);
  assert.equal(await status({ host: `evil.example:${new URL(url).port}` }), 421);
  assert.equal(await status({ origin: "http://evil.example" }), 403);
});

test("two clicks lead to a server; the usual ports are offered", async (look) => {
  const { page } = look;
  await page.getByRole("link", { name: "TCP server Listens" }).click();
  for (const port of [7788, 8008, 8001, 5000]) {
    await look.button(String(port)).click();
    assert.equal(await page.getByLabel("Port", { exact: true }).inputValue(), String(port));
  }
  // The port of the test is another: 5000 may be taken on this machine.
  const port = await freePort();
  await page.getByLabel("Port", { exact: true }).fill(String(port));
  await look.button("Start").click();
  await look.is("listening");
  assert.equal(await page.locator(".addresses").textContent(), `127.0.0.1:${port}`);
  await look.sees(async () => assert.match(await page.title(), new RegExp(`${port}`)));
});

test("this machine's addresses are shown; loopback is chosen, others warn", async (look) => {
  const { page } = look;
  await page.getByRole("link", { name: "TCP server Listens" }).click();
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []).filter(({ family, internal }) => family === "IPv4" && !internal);
  const addresses = page.getByRole("radiogroup", { name: "Address", exact: true });
  const checked = (/** @type {string} */ name) => addresses.getByRole("radio", { name, exact: true }).getAttribute("aria-checked");
  assert.equal(await checked("127.0.0.1"), "true");
  const warning = page.getByRole("alert").filter({ hasText: "Other machines" });
  assert.equal(await warning.isVisible(), false);
  for (const { address } of own) {
    await addresses.getByRole("radio", { name: address, exact: true }).click();
    assert.equal(await checked(address), "true");
    await warning.waitFor();
  }
  await page.getByRole("checkbox", { name: "All addresses of this machine" }).check();
  assert.equal(await checked("127.0.0.1"), "false");
  await warning.waitFor();
  await page.getByLabel("Port", { exact: true }).fill("0");
  await look.button("Start").click();
  await look.is("listening");
  const port = await look.port();
  assert.equal(await page.locator(".addresses").textContent(), `0.0.0.0:${port}`);
  for (const { address } of own.slice(0, 1)) {
    const client = look.program("tcp", "connect", port, address);
    await client.tells("connected");
    await page.getByText("1 connected").waitFor();
  }
});

test("without the assistant the page says so, in words", async (look) => {
  const { page } = look;
  await page.routeWebSocket(/api\/live/, (socket) => socket.close());
  await page.reload();
  await page.getByRole("alert").filter({ hasText: "The assistant does not answer" }).waitFor();
  await page.unrouteAll();
  look.complaints.length = 0;
});
