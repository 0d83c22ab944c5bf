// The send box: what is typed, and the bytes that a Python program receives of it.

import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

/** A server of the page with one client. @param {Look} look */
async function pair(look) {
  const client = await look.client(await look.server());
  await look.page.getByText("1 connected").waitFor();
  /** Sends a text, and says in hex what has arrived. @type {(text: string, count: number) => Promise<string>} */
  const sent = async (text, count) => {
    await look.send(text);
    return (await client.bytes(count)).toString("hex");
  };
  const form = (/** @type {string} */ name) => look.sendBox.getByRole("radio", { name, exact: true }).click();
  const set = (/** @type {string} */ name, /** @type {string} */ value) => look.sendBox.getByLabel(name, { exact: true }).selectOption(value);
  return { client, sent, form, set };
}

test("hex is tolerant of how it is written, and says where it is wrong", async (look) => {
  const { sent, form } = await pair(look);
  await form("Hex");
  for (const text of ["48 65 6c 6C 6f", "0x48,0x65,0x6c,0x6c,0x6f", "48656c6c6f", "48:65:6c-6c\n6f"]) assert.equal(await sent(text, 5), "48656c6c6f", text);
  await look.text.fill("48 6g");
  await look.sendBox.getByText(/hexadecimal/).waitFor();
  await look.sendBox.locator("button.send").click();
  const selected = await look.text.evaluate((/** @type {HTMLTextAreaElement} */ field) => field.value.slice(field.selectionStart, field.selectionEnd));
  assert.equal(selected, "g");
  await look.text.fill("48 6");
  await look.sendBox.getByRole("alert").waitFor();
});

test("escapes, encodings and line endings become their bytes", async (look) => {
  const { sent, set } = await pair(look);
  assert.equal(await sent("a\\n", 3), "615c6e");
  await look.sendBox.getByRole("checkbox", { name: "Escapes" }).check();
  assert.equal(await sent("\\r\\n\\t\\0\\\\\\xff\\u4f60", 9), "0d0a09005cffe4bda0");
  await look.sendBox.getByRole("checkbox", { name: "Escapes" }).uncheck();
  const encodings = { "UTF-8": "e4bda0", GBK: "c4e3", GB18030: "c4e3", Big5: "a741", "UTF-16LE": "604f", "UTF-16BE": "4f60" };
  for (const [encoding, hex] of Object.entries(encodings)) {
    await set("Encoding", encoding);
    assert.equal(await sent("你", hex.length / 2), hex, encoding);
  }
  await set("Encoding", "Shift_JIS");
  assert.equal(await sent("あ", 2), "82a0");
  await set("Encoding", "ISO-8859-1");
  assert.equal(await sent("é", 1), "e9");
  await look.text.fill("é你");
  await look.sendBox.getByText(/ISO-8859-1/).and(look.page.getByRole("alert")).waitFor();
  await set("Encoding", "UTF-8");
  for (const [ending, hex] of Object.entries({ lf: "610a", crlf: "610d0a", cr: "610d", none: "61" })) {
    await set("Line ending", ending);
    assert.equal(await sent("a", hex.length / 2), hex, ending);
  }
});

test("each checksum, in both byte orders", async (look) => {
  const { sent, form, set } = await pair(look);
  await form("Text");
  const text = Buffer.from("123456789").toString("hex");
  // The check values of the catalogues of CRCs: what "123456789" gives.
  const big = { sum: "dd", xor: "31", "crc16-modbus": "4b37", "crc16-ccitt": "29b1", crc32: "cbf43926" };
  for (const [checksum, hex] of Object.entries(big)) {
    await set("Checksum", checksum);
    assert.equal(await sent("123456789", 9 + hex.length / 2), text + hex, checksum);
    if (!checksum.startsWith("crc")) continue;
    await set("Byte order", "little");
    const little = Buffer.from(hex, "hex").reverse().toString("hex");
    assert.equal(await sent("123456789", 9 + hex.length / 2), text + little, checksum);
    await set("Byte order", "big");
  }
  await set("Checksum", "crc32");
  await look.text.fill("123456789");
  await look.sendBox.getByText("13 bytes").waitFor();
});

test("the history comes back by the keys and by the menu", async (look) => {
  const { client } = await pair(look);
  for (const text of ["first", "second", "third"]) {
    await look.send(text);
    await client.hears(text);
  }
  // It is kept when the answer is there, which may be after the bytes have arrived.
  await look.sees(async () => {
    await look.text.fill("draft");
    await look.text.press("ArrowUp");
    assert.equal(await look.text.inputValue(), "third");
  });
  await look.text.press("ArrowUp");
  await look.text.press("ArrowUp");
  assert.equal(await look.text.inputValue(), "first");
  await look.text.press("ArrowDown");
  await look.text.press("ArrowDown");
  await look.text.press("ArrowDown");
  assert.equal(await look.text.inputValue(), "draft");
  await look.sendBox.getByText("History").click();
  await look.button("second").click();
  assert.equal(await look.text.inputValue(), "second");
  await look.text.press("Control+Enter");
  await client.hears("second");
  await look.button("Ctrl+Enter").click();
  await look.text.press("Enter");
  await client.hears("second");
  await look.button("Enter").click();
});

test("saved commands are sent with one click, changed and removed", async (look) => {
  const { client, form } = await pair(look);
  await form("Hex");
  await look.text.fill("01 03 00 00");
  await look.button("Save command…").click();
  const dialog = look.page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Name" }).fill("read registers");
  await dialog.getByRole("button", { name: "Save" }).click();
  await look.text.fill("");
  await look.tab("Commands");
  await look.page.getByTitle("Send read registers").click();
  assert.equal((await client.bytes(4)).toString("hex"), "01030000");
  await look.page.reload();
  await look.tab("Commands");
  await look.button("Take read registers into the send box").click();
  assert.equal(await look.text.inputValue(), "01 03 00 00");
  await look.button("Remove read registers").click();
  await look.page.getByTitle("Send read registers").waitFor({ state: "detached" });
});

test("a file is sent whole; one that nobody reads shows how far it is, and stops", async (look) => {
  const { client } = await pair(look);
  const folder = await mkdtemp(join(tmpdir(), "sockeye-browser-"));
  const bytes = Buffer.alloc(300_000, Uint8Array.from({ length: 251 }, (_, place) => place));
  await writeFile(join(folder, "small.bin"), bytes);
  await writeFile(join(folder, "large.bin"), Buffer.alloc(32 << 20));
  /** @param {string} name */
  const choose = async (name) => {
    const chosen = look.page.waitForEvent("filechooser");
    await look.button("Send a file…").click();
    await (await chosen).setFiles(join(folder, name));
  };
  await choose("small.bin");
  assert.ok((await client.bytes(bytes.length)).equals(bytes));
  await look.button("Send a file…").waitFor();
  client.do({ stop_reading: true });
  client.send("silent");
  await client.tells("sent");
  await choose("large.bin");
  await look.page.getByRole("progressbar", { name: "How much of the file is sent" }).waitFor();
  await look.page.getByText(/large\.bin: [\d.]+ \w+ of 32\.0 MiB/).waitFor();
  await look.sendBox.getByRole("button", { name: "Stop" }).click();
  await look.button("Send a file…").waitFor();
  look.complaints.length = 0;
});

test("repeats with an interval and a count, and into a living connection", async (look) => {
  const { client } = await pair(look);
  const periodic = look.page.getByRole("group", { name: "Send periodically" });
  await periodic.getByRole("spinbutton").first().fill("20");
  await periodic.getByRole("spinbutton").last().fill("5");
  await look.text.fill("tick");
  await look.button("Repeat").click();
  await client.hears("tick".repeat(5));
  await look.button("Repeat").waitFor();
  await periodic.getByRole("spinbutton").last().fill("");
  await look.page.keyboard.press("Tab");
  await look.button("Repeat").click();
  await client.hears("tick".repeat(10));
  // What is sent follows what is typed; and other things may be sent between.
  await look.text.fill("tock");
  await look.sees(async () => assert.match((await client.bytes(4)).toString(), /tock$/));
  await periodic.getByRole("button", { name: "Stop" }).click();
  await look.button("Repeat").waitFor();
});
