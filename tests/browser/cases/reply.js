// Auto-replies, and framings: where the view draws lines between messages, and what is answered then.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** Chooses what is answered. @param {Look} look @param {string} mode */
async function replies(look, mode) {
  await look.tab("Auto-reply");
  await look.page.getByRole("radio", { name: mode }).check();
}

/**
 * Says something until the answer is as it should be: settings take effect a moment after they are made.
 * @param {Look} look
 * @param {import("../support/program.js").Program} client
 * @param {string} said
 * @param {string} answer
 */
async function answers(look, client, said, answer) {
  client.patience = 1000;
  await look.sees(async () => {
    client.told = [];
    client.send(said);
    await client.hears(answer);
  });
}

test("echoes, answers in capitals, and with a fixed text", async (look) => {
  const port = await look.server();
  await replies(look, "Echo");
  await answers(look, await look.client(port), "echo me", "echo me");
  await replies(look, "Upper case");
  await look.logs("echo me");
  const client = await look.client(port);
  await look.page.getByRole("radio", { name: "Upper case", checked: true }).waitFor();
  await answers(look, client, "shout", "SHOUT");
  await replies(look, "Fixed");
  const fixed = look.page.getByRole("tabpanel");
  await fixed.getByRole("textbox").fill("OK");
  await fixed.getByLabel("Line ending").selectOption("crlf");
  await look.sees(async () => {
    const one = await look.client(port);
    one.patience = 1000;
    one.send("anything");
    assert.equal(Buffer.from((await one.tells("received")).received, "base64").toString(), "OK\r\n");
  });
  await replies(look, "Off");
});

test("rules by text, hex and regex; the first that matches, after its delay", async (look) => {
  const { page } = look;
  const port = await look.server();
  await replies(look, "Rules");
  const rules = [
    { match: "text", pattern: "ping", reply: "pong", delay: 0 },
    { match: "hex", pattern: "01 03", reply: "modbus", delay: 0 },
    { match: "regex", pattern: "^T=(\\d+)$", reply: "a number", delay: 300 },
  ];
  for (const [place, { match, pattern, reply, delay }] of rules.entries()) {
    await look.button("Add a rule").click();
    const rule = page.getByRole("group", { name: `Rule ${place + 1}` });
    await rule.getByLabel("What the pattern is").selectOption(match);
    await rule.getByRole("textbox", { name: "if this is in it" }).fill(pattern);
    await rule.getByRole("textbox", { name: "reply this" }).fill(reply);
    await rule.getByRole("spinbutton", { name: "after (ms)" }).fill(String(delay));
    await page.keyboard.press("Tab");
  }
  const client = await look.client(port);
  await answers(look, client, "T=42", "a number");
  const begun = Date.now();
  client.send("T=43");
  await client.hears("a number");
  assert.ok(Date.now() - begun >= 290, "the delay is kept");
  client.send("a ping and T=1");
  await client.hears("pong");
  client.send(Buffer.from([9, 1, 3, 9]));
  await client.hears("modbus");
  const broken = page.getByRole("group", { name: "Rule 3" }).getByRole("textbox", { name: "if this is in it" });
  await broken.fill("(");
  await page.getByRole("alert").filter({ hasText: "(" }).first().waitFor();
  await look.button("Remove rule 3").click();
  await page.getByRole("group", { name: "Rule 3" }).waitFor({ state: "detached" });
});

/** Chooses a framing, with one value more. @param {Look} look @param {string} mode */
function framing(look, mode) {
  return look.page.getByLabel("Framing of the view").selectOption(mode);
}

test("each framing cuts the same bytes in its own way", async (look) => {
  const { page } = look;
  const client = await look.client(await look.server());
  const stream = "\x00\x03abc\x00\x02d\r\n;ef;gh\n";
  client.send(stream);
  await look.logs("gh");
  /** What is shown, one string an entry. @type {(wanted: string[]) => Promise<void>} */
  const shows = (wanted) =>
    look.sees(async () => assert.deepEqual(await page.locator(".entry.received .text").allTextContents(), wanted));
  await framing(look, "line");
  await shows([String.raw`\0\x03abc\0\x02d\r\n`, String.raw`;ef;gh\n`]);
  await framing(look, "delimiter");
  await page.getByRole("textbox", { name: "Delimiter in hex" }).fill("3b");
  await page.keyboard.press("Tab");
  await shows([String.raw`\0\x03abc\0\x02d\r\n;`, "ef;", String.raw`gh\n`]);
  await framing(look, "fixed");
  await page.getByRole("spinbutton", { name: "Bytes in a message" }).fill("5");
  await page.keyboard.press("Tab");
  await shows([String.raw`\0\x03abc`, String.raw`\0\x02d\r\n`, ";ef;g", String.raw`h\n`]);
  await framing(look, "length");
  await page.getByLabel("Bytes of the length").selectOption("2");
  await page.getByLabel("Byte order").first().selectOption("big");
  await look.sees(async () => {
    const shown = await page.locator(".entry.received .text").allTextContents();
    assert.deepEqual(shown.slice(0, 2), [String.raw`\0\x03abc`, String.raw`\0\x02d\r`]);
  });
  await framing(look, "none");
  await shows([String.raw`\0\x03abc\0\x02d\r\n;ef;gh\n`]);
});

test("a silence ends a frame, where that is the framing", async (look) => {
  const { page } = look;
  const client = await look.client(await look.server());
  await framing(look, "gap");
  await page.getByRole("spinbutton", { name: "Silence between messages, ms" }).fill("300");
  await page.keyboard.press("Tab");
  await look.sees(async () => assert.equal(await page.getByRole("spinbutton", { name: "Silence between messages, ms" }).inputValue(), "300"));
  client.send("one ");
  client.send("message");
  await look.logs("one message");
  await replies(look, "Echo");
  client.patience = 1000;
  await look.sees(async () => {
    client.told = [];
    client.send("half");
    client.send("whole");
    assert.equal((await client.bytes(9)).toString(), "halfwhole");
  });
});

test("with a framing each frame is answered, however it came in pieces", async (look) => {
  const port = await look.server();
  await framing(look, "line");
  await replies(look, "Fixed");
  await look.page.getByRole("tabpanel").getByRole("textbox").fill("!");
  await look.sees(async () => {
    const client = await look.client(port);
    client.patience = 1000;
    client.send("a\nb\nc");
    client.send("c\n");
    assert.equal((await client.bytes(3)).toString(), "!!!");
    await look.logs(/cc/);
  });
});
