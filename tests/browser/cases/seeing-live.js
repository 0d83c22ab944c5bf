// What a LAN of the page shows: the ladder with a loss, frames taken apart, states, boundaries, plots, cables, explanations.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** Opens two hosts on a LAN, which have said hello to each other, and looks at their recording. @param {Look} look */
async function handshake(look) {
  await look.page.getByRole("button", { name: /Two hosts on a Sockeye LAN/ }).click();
  await look.page.waitForURL(/#recording=/);
  await row(look, "recv(1024) → 6").first().waitFor();
  return look.page.url();
}

/** The rows of the ladder that are in view. @param {Look} look @param {string | RegExp} hasText */
function row(look, hasText) {
  return look.page.getByRole("listbox", { name: /^Ladder/ }).getByRole("option").filter({ hasText });
}

/** Says something from the session of the client, and comes back. @param {Look} look @param {string} text */
async function say(look, text) {
  const recording = look.page.url();
  await look.page.getByRole("navigation").getByRole("link", { name: "Client" }).last().click();
  await look.send(text);
  await look.page.goto(recording);
}

test("the handshake with calls, states and frames", async (look) => {
  await handshake(look);
  await look.page.getByRole("button", { name: "Fit" }).click();
  await look.page.getByRole("listbox", { name: /^Ladder/ }).press("Home");
  for (const text of ["server: listen(", "client: connect(10.0.0.2:7788)", "ARP who-has 10.0.0.2", "client to server: TCP SYN seq 0", "server to client: TCP SYN ACK seq 0 ack 1", "client: SYN-SENT → ESTABLISHED"]) {
    await look.sees(async () => {
      if (await row(look, text).count()) return;
      await look.page.getByRole("listbox", { name: /^Ladder/ }).press("ArrowDown");
      throw new Error(`no row says: ${text}`);
    });
  }
  // Hiding what is not TCP.
  await look.button("ARP").click();
  await look.button("Calls").click();
  await look.page.getByRole("listbox", { name: /^Ladder/ }).press("Home");
  await look.sees(async () => {
    assert.equal(await row(look, "TCP SYN seq 0").count(), 1);
    assert.equal(await row(look, /who-has|listen\(/).count(), 0);
  });
});

test("a frame that is dropped ends in a cross, is sent again, and is explained", async (look) => {
  await handshake(look);
  await look.page.getByRole("group", { name: "sent", exact: true }).getByRole("button", { name: "Drop next" }).click();
  await say(look, "once more");
  await row(look, "lost: dropped on request").first().waitFor();
  await row(look, "sent again, first in row").first().waitFor();
  await look.page.getByRole("tab", { name: /^Explain/ }).click();
  await look.page.getByText(/sends a segment again, because the first did not arrive \(dropped on request\)/).waitFor();
  // The finding leads to its row.
  await look.page.getByText(/sends a segment again/).click();
  await look.page.getByRole("tab", { name: "Details" }).and(look.page.locator("[aria-selected=true]")).waitFor();

  const saved = look.page.waitForEvent("download");
  await look.page.getByText("View ▾").click();
  await look.button("SVG").click();
  const svg = await readFile((await (await saved).path()) ?? "", "utf8");
  assert.match(svg, /^<svg[\s\S]*dropped on request[\s\S]*<\/svg>\s*$/);
  const picture = look.page.waitForEvent("download");
  await look.button("PNG").click();
  const png = await readFile((await (await picture).path()) ?? "");
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.ok(png.length > 5000, `${png.length} bytes`);
});

test("a frame is taken apart, and its bytes are marked", async (look) => {
  await handshake(look);
  const ladder = look.page.getByRole("listbox", { name: /^Ladder/ });
  await look.button("Calls").click();
  await look.button("States").click();
  await look.button("ARP").click();
  await ladder.press("Home");
  await ladder.press("ArrowUp");
  await row(look, "TCP SYN seq 0").and(look.page.locator("[aria-selected=true]")).waitFor();
  const field = look.page.locator(".layer-field").filter({ hasText: "destination port" });
  await field.waitFor();
  assert.match((await field.textContent()) ?? "", /7788/);
  await field.hover();
  const marked = await look.page.locator(".dump .hex .is-marked").allTextContents();
  assert.equal(marked.join(""), "1e6c", "7788, in the bytes of the frame");
  assert.match((await look.page.locator(".layers").textContent()) ?? "", /Ethernet[\s\S]*IPv4[\s\S]*TCP[\s\S]*SYN/);
});

test("where both ends are in the state machine, and the queues of the listener", async (look) => {
  await handshake(look);
  await look.tab("States");
  await look.page.getByRole("img", { name: /State machine of TCP; the ends are in ESTABLISHED/ }).waitFor();
  await look.page.getByRole("img", { name: /^Accept queue: 0/ }).waitFor();
  await look.page.getByRole("navigation").getByRole("link", { name: "Client" }).last().click();
  await look.button("Close").click();
  await look.page.goBack();
  await look.tab("States");
  await look.page.getByText(/TIME-WAIT|FIN-WAIT|CLOSE-WAIT|CLOSED/).first().waitFor();
});

test("sends, segments and returns of recv on one axis", async (look) => {
  await handshake(look);
  await look.tab("Boundaries");
  await look.page.getByText(/^1 × send, 1 segments?, 1 × recv$/).waitFor();
});

test("plots have their series", async (look) => {
  await handshake(look);
  await look.tab("Plots");
  for (const name of ["Time-sequence", "Windows", "Round trip and timeout", "Throughput", "Queues"]) await look.page.getByRole("img", { name }).waitFor();
  for (const name of ["acknowledged", "cwnd", "smoothed RTT", "on the wire", "send queue"]) await look.button(name).first().waitFor();
});

test("a cable follows its profile and what one types", async (look) => {
  await handshake(look);
  await look.button("Satellite").click();
  const delay = look.page.getByRole("spinbutton", { name: "Delay, from client" });
  await look.sees(async () => assert.equal(await delay.inputValue(), "300"));
  await delay.fill("20");
  await look.button("server").click();
  await look.button("client").click();
  await look.sees(async () => assert.equal(await delay.inputValue(), "20"));
  // What was not typed stays as the profile has it.
  const loss = look.page.getByRole("spinbutton", { name: "Loss, from client" });
  assert.equal(await loss.inputValue(), "0.5");
  await row(look, /the cable of client/).first().waitFor();
});

test("a recording goes out as a file, and comes in again", async (look) => {
  await handshake(look);
  const saved = look.page.waitForEvent("download");
  await look.page.getByRole("link", { name: "pcapng" }).click();
  const path = (await (await saved).path()) ?? "";
  const bytes = await readFile(path);
  assert.deepEqual([...bytes.subarray(0, 4)], [0x0a, 0x0d, 0x0d, 0x0a]);
  await look.page.goto(new URL("/#open", look.url).href);
  await look.page.locator("#capture").setInputFiles({ name: "hello.pcapng", mimeType: "application/octet-stream", buffer: bytes });
  await look.page.waitForURL(/#recording=/);
  await look.page.getByRole("heading", { name: "hello.pcapng" }).waitFor();
  await row(look, "TCP SYN seq 0").waitFor();
  await look.tab("Plots");
  await look.page.getByRole("img", { name: "Time-sequence" }).waitFor();
  await look.page.goto(new URL("/#open", look.url).href);
  await look.page.locator("#capture").setInputFiles({ name: "x.pcap", mimeType: "application/octet-stream", buffer: Buffer.from("no capture at all") });
  await look.page.getByText(/Wireshark/).last().waitFor();
});
