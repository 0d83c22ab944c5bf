// Bytes that arrive: in every encoding, cut anywhere, of any kind; and never taken for anything but data.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";

test("another encoding shows what is there already anew", async (look) => {
  const client = await look.client(await look.server());
  client.send(Buffer.from("c4e3bac3", "hex"));
  await look.logs("c4");
  await look.page.getByRole("region", { name: "Log" }).getByLabel("Encoding").selectOption("GBK");
  await look.logs("你好");
  await look.page.getByRole("region", { name: "Log" }).getByLabel("Encoding").selectOption("Big5");
  await look.sees(async () => assert.equal(await look.lines("你好").count(), 0));
});

test("each encoding is read", async (look) => {
  const samples = { GBK: "c4e3bac3", GB18030: "c4e3bac3", Big5: "a741a66e", "UTF-16LE": "604f7d59", "UTF-16BE": "4f60597d", "UTF-8": "e4bda0e5a5bd" };
  const client = await look.client(await look.server());
  for (const [encoding, hex] of Object.entries(samples)) {
    await look.button("Clear").click();
    await look.page.getByRole("region", { name: "Log" }).getByLabel("Encoding").selectOption(encoding);
    client.send(Buffer.from(hex, "hex"));
    await look.logs("你好");
  }
});

test("GBK that is split at any byte stays readable", async (look) => {
  const text = Buffer.from("c4e3bac3cac0bde7", "hex");
  const client = await look.client(await look.server({ encoding: "GBK" }));
  for (let cut = 1; cut < text.length; cut += 1) {
    await look.button("Clear").click();
    client.send(text.subarray(0, cut));
    await look.sees(async () => assert.match((await look.page.locator(".counters .received").textContent()) ?? "", new RegExp(`in ${2 * cut - 1} calls`)));
    client.send(text.subarray(cut));
    await look.sees(async () => {
      const shown = (await look.page.locator(".entry.received .text").allTextContents()).join("");
      assert.equal(shown, "你好世界", `cut at byte ${cut}`);
    });
    assert.equal(await look.page.locator(".undecodable").count(), 0);
  }
});

test("emoji, controls, and marks that turn the writing", async (look) => {
  const client = await look.client(await look.server());
  client.send("emoji 👩‍👩‍👧 done");
  await look.logs("👩");
  client.send("a\0b\u001b[31mred\u202eturned");
  await look.logs(String.raw`a\0b\x1b[31mred\u202eturned`);
  client.send(Buffer.from([0x66, 0xff, 0x67]));
  await look.lines().locator(".undecodable").filter({ hasText: "ff" }).waitFor();
});

test("markup and scripts are data", async (look) => {
  const { page } = look;
  const client = await look.client(await look.server());
  const attacks = ["<script>window.hacked = 1</script>", '<img src="x" onerror="window.hacked = 1">', "<b>bold</b>", "javascript:window.hacked=1", "{{constructor}}"];
  for (const attack of attacks) {
    client.send(attack);
    await look.logs(attack);
    await look.lines(attack).click();
    await page.getByRole("region", { name: "The selected entry" }).getByText(attack, { exact: true }).waitFor();
    await look.send(attack);
  }
  await look.sendBox.getByText("History").click();
  await look.button(attacks[2]).waitFor();
  assert.equal(await page.locator(".log img, .log script, .log b:text('bold')").count(), 0);
  assert.equal(await page.evaluate(() => "hacked" in window), false);
});

test("a line of 1 MiB is one line, cut where it is shown", async (look) => {
  const { page } = look;
  await look.server();
  const port = await look.port();
  await look.tab("Options");
  await page.getByRole("spinbutton", { name: "Bytes per recv" }).fill(String(1 << 20));
  await page.keyboard.press("Tab");
  await page.getByLabel("Framing of the view").selectOption("line");
  const client = await look.client(port);
  client.send(`${"x".repeat((1 << 20) - 1)}\n`);
  await look.logs(/1048576x{100}/);
  await look.lines(/1048576x{100}/).click();
  await page.getByText("The first 4.0 KiB of 1.0 MiB").waitFor();
});
