// Lessons in virtual time: stepped, played, scrubbed back and forked; what is shown follows.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** @param {Look} look @param {string} name */
async function lesson(look, name) {
  await look.page.goto(new URL(`/#lesson=${name}`, look.url).href);
  await look.page.waitForURL(/#recording=/);
  await look.page.getByRole("group", { name: "Player" }).waitFor();
}

/** The step one is at. @param {Look} look */
function now(look) {
  return look.page.locator('.steps li[aria-current="step"]');
}

test("steps forward and back, with the states following", async (look) => {
  await lesson(look, "close");
  const first = await now(look).textContent();
  await look.button("The next step (→)").click();
  await look.sees(async () => assert.notEqual(await now(look).textContent(), first));
  await look.button("The step before (←)").click();
  await look.sees(async () => assert.equal(await now(look).textContent(), first));
  await look.tab("States");
  await look.page.getByRole("img", { name: /the ends are in ESTABLISHED, ESTABLISHED|the ends are in .*ESTABLISHED/ }).waitFor();
  const scrub = look.page.getByRole("slider", { name: "Go to a moment" });
  await scrub.fill("2000");
  await look.page.getByText("TIME-WAIT").first().waitFor();
  await scrub.fill("0");
  await look.sees(async () => assert.doesNotMatch((await look.page.locator(".state-ends").textContent()) ?? "", /TIME-WAIT|FIN-WAIT/));
});

test("plays by itself, and pauses", async (look) => {
  await lesson(look, "handshake");
  const output = look.page.locator(".player output");
  const before = await output.textContent();
  await look.button("Play (space)").click();
  await look.sees(async () => assert.notEqual(await output.textContent(), before));
  await look.button("Pause (space)").click();
  await look.button("Play (space)").waitFor();
});

test("a fork is the same up to a moment, and another recording after it", async (look) => {
  await lesson(look, "slow-start");
  const before = look.page.url();
  await look.button("The next step (→)").click();
  await look.button("Fork from here").click();
  const dialog = look.page.getByRole("dialog");
  await dialog.getByRole("spinbutton", { name: /Seed/ }).fill("42");
  await dialog.getByRole("button", { name: "Fork from here" }).click();
  await look.page.waitForURL((url) => url.href !== before && /#recording=/.test(url.href));
  await look.page.getByRole("link", { name: /A fork, at/ }).click();
  await look.sees(() => assert.equal(look.page.url(), before));
});

test("every lesson opens, in both languages", async (look) => {
  const lessons = await look.page.getByRole("link").evaluateAll((links) => links.flatMap((link) => /#lesson=(.+)$/.exec(/** @type {HTMLAnchorElement} */ (link).href)?.[1] ?? []));
  assert.ok(lessons.length >= 10, `${lessons}`);
  for (const name of lessons) {
    await lesson(look, name);
    await now(look).waitFor();
  }
  await look.button("中文").click();
  await look.page.goto(new URL("/#lesson=sticky", look.url).href);
  await look.page.getByText("粘包").first().waitFor();
});

test("two sends in one recv are drawn as such", async (look) => {
  await lesson(look, "sticky");
  await look.page.getByRole("slider", { name: "Go to a moment" }).fill("2000");
  await look.tab("Boundaries");
  await look.page.getByText("4 × send, 4 segments, 5 × recv").waitFor();
  await look.page.getByText(/1 of 5 returns of recv hold bytes of more than one send/).waitFor();
  await look.page.getByRole("tab", { name: /^Explain/ }).click();
  await look.page.getByText(/2 sends came out of one recv/).waitFor();
});

test("the arithmetic of the subnet mask is shown", async (look) => {
  await lesson(look, "gateway");
  await look.sees(async () => {
    if (await look.page.locator(".mask").count()) return;
    await look.button("The next step (→)").click();
    throw new Error("no step shows the mask");
  });
  assert.match((await look.page.locator(".mask").first().textContent()) ?? "", /255\.255\.255\.0/);
});
