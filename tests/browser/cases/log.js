// The log: how entries look, and what is done with them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** A server of the page with one client. @param {Look} look */
async function pair(look) {
  const client = await look.client(await look.server());
  await look.page.getByText("1 connected").waitFor();
  return client;
}

/** Sends lines one by one: each is an entry. @param {Look} look @param {import("../support/program.js").Program} client @param {string[]} lines */
async function say(look, client, lines) {
  for (const line of lines) {
    client.send(line);
    await look.logs(line);
  }
}

test("what was sent and what was received differ in sign and colour", async (look) => {
  const client = await pair(look);
  await say(look, client, ["from them"]);
  await look.send("from us");
  await look.logs("from us");
  const looks = async (/** @type {string} */ text) => {
    const line = look.lines(text);
    const colour = await line.getByText(text, { exact: true }).evaluate((element) => getComputedStyle(element).color);
    return [colour, await line.textContent()];
  };
  const [theirs, theirText] = await looks("from them");
  const [ours, ourText] = await looks("from us");
  assert.notEqual(theirs, ours);
  assert.match(theirText ?? "", /^\d\d:\d\d:\d\d\.\d{3}←#1/);
  assert.match(ourText ?? "", /^\d\d:\d\d:\d\d\.\d{3}→#1/);
});

test("times as clock, delta and date; bytes as text, hex and both", async (look) => {
  const { page } = look;
  const client = await pair(look);
  await say(look, client, ["one", "two"]);
  const time = (/** @type {string} */ name) => page.getByLabel("Time", { exact: true }).selectOption(name);
  await time("delta");
  await look.logs(/^\+\d+ ms←#1\s*3two/);
  await time("date");
  await look.logs(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}←#1\s*3two/);
  await time("clock");
  const as = (/** @type {string} */ name) => page.getByRole("radiogroup", { name: "Show as" }).getByRole("radio", { name, exact: true }).click();
  await as("Hex");
  await look.logs("74 77 6f");
  assert.equal(await look.lines("two").count(), 0);
  await as("Both");
  await look.logs(/two.*74 77 6f/);
  await page.reload();
  await look.logs(/two.*74 77 6f/);
  await as("Text");
});

test("an entry is shown whole, and copied as text, hex and dump", async (look) => {
  const { page } = look;
  const client = await pair(look);
  await say(look, client, ["copy me"]);
  await look.lines("copy me").click();
  const detail = page.getByRole("region", { name: "The selected entry" });
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  const copies = async (/** @type {string} */ name, /** @type {RegExp} */ wanted) => {
    await detail.getByRole("button", { name }).click();
    await look.sees(async () => assert.match(await clipboard(), wanted));
  };
  await copies("Copy text", /^copy me$/);
  await copies("Copy hex", /^63 6f 70 79 20 6d 65$/);
  await copies("Copy dump", /^0000 {2}63 6f 70 79 20 6d 65 .*copy me$/);
  await page.evaluate(() => navigator.clipboard.writeText(""));
  await page.getByRole("listbox", { name: "Log" }).press("Control+c");
  await look.sees(async () => assert.equal(await clipboard(), "copy me"));
  await page.getByRole("listbox", { name: "Log" }).press("Escape");
  await detail.waitFor({ state: "hidden" });
});

test("pausing holds the view, and says how much is new", async (look) => {
  const client = await pair(look);
  await say(look, client, ["before"]);
  await look.button("Pause").click();
  client.send("meanwhile");
  await look.button("Resume (1 new)").waitFor();
  assert.equal(await look.lines("meanwhile").count(), 0);
  await look.button("Resume (1 new)").click();
  await look.logs("meanwhile");
});

test("searches for text and hex, to and fro", async (look) => {
  const { page } = look;
  const client = await pair(look);
  await say(look, client, ["apple 1", "pear", "apple 2"]);
  await page.keyboard.press("Control+f");
  const search = page.getByRole("searchbox", { name: "Search" });
  await search.fill("APPLE");
  const selected = async (/** @type {string} */ text) => {
    await look.lines(text).and(page.locator('[aria-selected="true"]')).waitFor();
  };
  await search.press("Enter");
  await selected("apple 1");
  await search.press("Enter");
  await selected("apple 2");
  assert.equal(await look.lines("apple 2").locator("mark").textContent(), "apple");
  await search.press("Shift+Enter");
  await selected("apple 1");
  await look.button("Search for hexadecimal bytes").click();
  await search.fill("70 65 61 72");
  await look.button("Next (Enter)").click();
  await selected("pear");
  await search.fill("ff ff");
  await search.press("Enter");
  await page.getByText("Nothing more is found.").waitFor();
});

test("filters by direction, by peer and by text", async (look) => {
  const { page } = look;
  const port = await look.server();
  const [one, two] = await look.clients(port, 2);
  await say(look, one, ["from one"]);
  await say(look, two, ["from two"]);
  await look.send("from the server");
  await look.button("Filter").click();
  await page.getByRole("radiogroup", { name: "Direction" }).getByRole("radio", { name: "Sent" }).click();
  await look.sees(async () => assert.equal(await look.lines("from two").count(), 0));
  await look.sees(async () => assert.equal(await look.lines("from the server").count(), 2));
  await page.getByRole("radiogroup", { name: "Direction" }).getByRole("radio", { name: "All" }).click();
  await page.getByLabel("Peer", { exact: true }).selectOption({ label: `#2 ${two.local}` });
  await look.logs("from two");
  await look.sees(async () => assert.equal(await look.lines("from one").count(), 0));
  await page.getByRole("searchbox", { name: "with this text" }).fill("nothing of the kind");
  await page.getByText("Nothing passes the filter.").waitFor();
  await look.button("Show all").click();
  await look.logs("from one");
});

test("is saved as text, table and JSON, and cleared", async (look) => {
  const { page } = look;
  const client = await pair(look);
  await say(look, client, ['say "hi", you']);
  /** @param {string} name */
  const saved = async (name) => {
    await page.getByRole("button", { name: "Save the log as a file" }).click();
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name }).click();
    return readFile(await (await download).path(), "utf8");
  };
  assert.match(await saved("Text (.txt)"), /say "hi", you/);
  assert.match(await saved("Table (.csv)"), /"say ""hi"", you"/);
  const entries = JSON.parse(await saved("JSON (.json)"));
  assert.ok(JSON.stringify(entries).includes(Buffer.from('say "hi", you').toString("base64")));
  await look.button("Clear").click();
  await page.getByText("Nothing yet.").waitFor();
  await look.sees(async () => assert.equal(await look.lines().count(), 0));
});

test("counters count, and begin anew", async (look) => {
  const client = await pair(look);
  await say(look, client, ["12345"]);
  await look.send("1234567");
  await look.page.getByText("5 B in 1 calls").waitFor();
  await look.page.getByText("7 B in 1 calls").waitFor();
  await look.page.locator(".session-head").getByRole("button", { name: "More" }).click();
  await look.button("Reset counters").click();
  await look.page.getByText("0 B in 0 calls").first().waitFor();
  await look.logs("12345");
});

test("100,000 entries scroll, and are found", async (look) => {
  const { page } = look;
  const port = await look.server();
  // Lines as frames: how many `recv()` it takes is the kernel's affair.
  await page.getByLabel("Framing of the view").selectOption("line");
  const client = await look.client(port);
  const lines = Array.from({ length: 100_000 }, (_, place) => `${String(place).padStart(7, "0")}\n`);
  client.send(lines.join(""));
  await look.logs("0099999");
  const list = page.getByRole("listbox", { name: "Log" });
  assert.ok((await look.lines().count()) < 200, "only what is visible exists");
  await list.press("Home");
  await look.logs(/listening/);
  const frames = await list.evaluate(async (element) => {
    const spent = [];
    let last = performance.now();
    for (let step = 0; step < 60; step += 1) {
      element.scrollTop += element.scrollHeight / 70;
      await new Promise(requestAnimationFrame);
      spent.push(performance.now() - last);
      last = performance.now();
    }
    return spent.sort((a, b) => a - b);
  });
  assert.ok(frames[30] < 50, `half of the frames of scrolling took more than ${frames[30]} ms`);
  const search = page.getByRole("searchbox", { name: "Search" });
  await search.fill("0050000");
  await search.press("Enter");
  await look.logs("0050000");
});
