// What it costs: memory and delay of the page while much happens, and what a page leaves behind in the assistant. The bounds
// are generous: other work on the machine must not break them.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { assistant, browser, test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

const MOST_HEAP_MIB = 300;
/** Of half of the keys. The slowest ones wait for whatever else the machine does: of them only what nobody would bear is refused. */
const MOST_DELAY_MS = 100;
const WORST_DELAY_MS = 1000;

/** Bytes of the JavaScript heap, in MiB, after garbage was collected. @param {Look} look */
async function heap(look) {
  const tools = await look.page.context().newCDPSession(look.page);
  await tools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await tools.send("Runtime.getHeapUsage");
  await tools.detach();
  return usedSize / 1048576;
}

/**
 * How long keys wait for the screen to show what they do: the median and the 95th percentile, in ms.
 * @param {Look} look
 * @param {string[]} keys
 */
async function delays(look, keys) {
  const { page } = look;
  await page.evaluate(() => {
    const waits = /** @type {number[]} */ ([]);
    Object.assign(window, { waits });
    addEventListener("keydown", (event) => {
      // A task behind the frame: by then it is painted.
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => waits.push(performance.now() - event.timeStamp);
        channel.port2.postMessage(null);
      });
    });
  });
  for (const key of keys) await page.keyboard.press(key, { delay: 20 });
  const waits = await page.evaluate(() => /** @type {any} */ (window).waits.sort((/** @type {number} */ a, /** @type {number} */ b) => a - b));
  assert.ok(waits.length >= keys.length * 0.9, `${waits.length} of ${keys.length} keys were noticed`);
  return { median: waits[Math.floor(waits.length / 2)], late: waits[Math.floor(waits.length * 0.95)] };
}

/** @param {string} what @param {{median: number, late: number}} delay @param {number} mib */
function judge(what, { median, late }, mib) {
  console.log(`${what}: heap ${mib.toFixed(1)} MiB; input delay ${median.toFixed(0)} ms in the median, ${late.toFixed(0)} ms at the 95th percentile`);
  assert.ok(mib < MOST_HEAP_MIB, `${mib} MiB`);
  assert.ok(median < MOST_DELAY_MS, `${median} ms`);
  assert.ok(late < WORST_DELAY_MS, `${late} ms`);
}

test("pages that were opened and closed leave nothing behind in the assistant", async (look) => {
  const { child } = await assistant();
  const state = async () => {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8");
    const descriptors = await readdir(`/proc/${child.pid}/fd`);
    return { mib: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024, descriptors: descriptors.length };
  };
  const visit = async () => {
    const context = await (await browser()).newContext();
    const page = await context.newPage();
    await page.goto(look.url);
    await page.getByRole("heading", { name: "Send, receive, and see why" }).waitFor();
    await page.locator(".side a").first().click();
    await context.close();
  };
  for (let round = 0; round < 3; round += 1) await visit();
  const before = await state();
  for (let round = 0; round < 20; round += 1) await visit();
  // Connections end a moment after the pages.
  await look.sees(async () => assert.ok((await state()).descriptors <= before.descriptors + 2, `${(await state()).descriptors} descriptors after ${before.descriptors}`));
  const after = await state();
  console.log(`20 pages: resident memory ${before.mib.toFixed(1)} → ${after.mib.toFixed(1)} MiB, descriptors ${before.descriptors} → ${after.descriptors}`);
  assert.ok(after.mib < before.mib + 8, `${before.mib} MiB became ${after.mib}`);
});

test("typing while 10,000 entries a second arrive", async (look) => {
  const port = await look.server();
  await look.page.getByLabel("Framing of the view").selectOption("line");
  const flood = look.program("flood", port, 5, 10_000);
  await flood.tells("connected");
  await look.logs("quick brown fox");
  await look.text.focus();
  const delay = await delays(look, [..."the keys that are pressed while it goes on"].map((key) => (key === " " ? "Space" : key)));
  const { sent } = await flood.tells("sent");
  await look.logs("the last line");
  assert.equal(await look.text.inputValue(), "the keys that are pressed while it goes on");
  judge(`a flood of ${sent} entries`, delay, await heap(look));
});

test("walking along a ladder that keeps growing", async (look) => {
  const { page } = look;
  await page.goto(new URL("/#home", look.url).href);
  await page.getByRole("button", { name: "Two hosts on a Sockeye LAN" }).click();
  await page.getByRole("tab", { name: "Ladder" }).waitFor();
  const ladder = page.url();
  await page.getByRole("link", { name: "Client" }).click();
  await look.is("connected");
  await look.text.fill("x".repeat(2000));
  await page.getByRole("group", { name: "Send periodically" }).getByRole("spinbutton").first().fill("2");
  await page.keyboard.press("Tab");
  await look.button("Repeat").click();
  await page.getByRole("group", { name: "Send periodically" }).getByRole("button", { name: "Stop" }).waitFor();
  await page.goto(ladder);
  await page.getByRole("tab", { name: "Ladder" }).waitFor();
  await page.getByLabel(/^Ladder:/).focus();
  const rows = () => page.getByText(/[\d,]+ rows/).first().textContent();
  const before = await rows();
  const delay = await delays(look, Array.from({ length: 60 }, (_, place) => (place % 3 === 0 ? "ArrowUp" : "ArrowDown")));
  await look.sees(async () => assert.notEqual(await rows(), before));
  const [mib, length] = [await heap(look), await rows()];
  await page.getByRole("link", { name: "Client" }).click();
  await page.getByRole("group", { name: "Send periodically" }).getByRole("button", { name: "Stop" }).click();
  await look.button("Repeat").waitFor();
  judge(`a ladder of ${length}`, delay, mib);
});
