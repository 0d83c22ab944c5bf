// Whoever looks: in English and Chinese, with the keyboard alone, on a phone, in the dark, and with a screen reader.

import assert from "node:assert/strict";
import { test } from "../support/assistant.js";

/** @typedef {import("../support/assistant.js").Look} Look */

const VIEWS = ["home", "new=tcp-server", "new=tcp-client", "new=udp", "new=forward", "lan", "open", "lessons"];

/** @param {Look} look @param {string} view */
async function goTo(look, view) {
  await look.page.goto(new URL(`/#${view}`, look.url).href);
  await look.page.locator("main > *").first().waitFor();
}

/** Views of every kind: those without anything open, and each part of a session. @param {Look} look @param {(where: string) => Promise<void>} visit */
async function everywhere(look, visit) {
  const { page } = look;
  for (const view of VIEWS) {
    await goTo(look, view);
    await visit(view);
  }
  await page.getByRole("link", { name: /handshake|lesson/i }).or(page.locator("main a")).first().waitFor();
  for (const kind of /** @type {const} */ (["tcp-server", "udp", "tcp-client", "forward"])) {
    await goTo(look, `new=${kind}`);
    await page.getByRole("button", { name: /^(Start|开始|启动)/ }).click();
    await page.locator(".session-head").waitFor();
    for (const tab of await page.locator(".panel-tabs").getByRole("tab").all()) {
      await tab.click();
      await visit(`${kind}: ${await tab.textContent()}`);
    }
  }
}

/** Controls without a name. @param {Look} look */
function nameless(look) {
  return look.page.evaluate(() => {
    const controls = document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea, summary, [role=tab], [role=radio], [role=listbox], [role=slider]");
    const isNamed = (/** @type {Element} */ control) => {
      const labels = [...(/** @type {HTMLInputElement} */ (control).labels ?? [])].map((label) => label.textContent);
      const by = control.getAttribute("aria-labelledby");
      const said = [control.getAttribute("aria-label"), control.textContent, control.getAttribute("title"), by && document.getElementById(by)?.textContent, ...labels];
      return said.some((words) => words?.match(/[\p{L}\p{N}+]/u));
    };
    return [...controls].filter((control) => control.checkVisibility() && !isNamed(control)).map((control) => control.outerHTML.slice(0, 160));
  });
}

test("every control has a name", async (look) => {
  await everywhere(look, async (where) => assert.deepEqual(await nameless(look), [], where));
});

test("in Chinese no control speaks English", async (look) => {
  const { page } = look;
  await look.button("中文").click();
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  await everywhere(look, async (where) => {
    const english = await page.evaluate(() => {
      // Names of things are the same everywhere; what is data is nobody's words.
      const names = /^(Sockeye|English|UDP|TCP|ARP|LAN|FIN|RST|UTF-8|GBK|GB18030|Big5|Shift_JIS|ISO-8859-1|UTF-16[LB]E|LF|CR|CRLF|XOR|CRC-?\d*|Modbus|CCITT|Ctrl|Enter|Wi-Fi|DSL|\d?G|TCP_NODELAY|SO_\w+|IP_TTL|recv|send|ms|MTU|hex|eth\d+|lo|client|server|txt|csv|json|pcapng|pcap|JSON|Nagle|SYN|ACK|MAC|seed|B|KiB|MiB|kbit|s|x|n|r|t|xNN|uXXXX|Shift|F|TIME|WAIT|connect|accept)$/i;
      const words = new Set();
      for (const control of document.querySelectorAll("button, a[href], label, option, summary, h1, h2, h3, legend, p, dt, [title], [placeholder], [aria-label]")) {
        if (!control.checkVisibility() || control.closest(".mono, .list, .addresses, .name") || control.matches(".mono")) continue;
        const own = [...control.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ textContent }) => textContent ?? "");
        for (const said of [...own, ...["title", "placeholder", "aria-label"].map((name) => control.getAttribute(name) ?? "")]) {
          const foreign = said.match(/[A-Za-z][\w'-]*/g)?.filter((word) => !names.test(word)) ?? [];
          // A whole phrase in English, and not one term in a Chinese sentence.
          const isAddress = /^[\da-f:.]+$/i.test(said);
          if (foreign.length > 0 && !isAddress && !/\p{Script=Han}/u.test(said)) words.add(said);
        }
      }
      return [...words];
    });
    assert.deepEqual(english, [], where);
    assert.deepEqual(await nameless(look), [], where);
  });
  await look.button("English").click();
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
});

test("the language of the address counts, and is kept", async (look) => {
  const { page, url } = look;
  await page.goto(`${url}&lang=zh`);
  await look.button("English").waitFor();
});

test("the keyboard alone is enough", async (look) => {
  const { page } = look;
  /** Walks on with Tab until something of that name has the focus. @param {RegExp} name */
  const walk = async (name) => {
    for (let step = 0; step < 80; step += 1) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => {
        const { activeElement } = document;
        return `${activeElement?.getAttribute("aria-label") ?? ""} ${activeElement?.textContent ?? ""}`.trim();
      });
      if (name.test(focused)) return;
    }
    throw new Error(`Tab never leads to ${name}`);
  };
  await walk(/Listens on a port/);
  await page.keyboard.press("Enter");
  await look.button("Start").waitFor();
  await look.sees(async () => assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Start"));
  await page.getByLabel("Port", { exact: true }).focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("0");
  await page.keyboard.press("Enter");
  await look.is("listening");
  const client = await look.client(await look.port());
  await page.getByText("1 connected").waitFor();
  // The send box has the focus already.
  await look.sees(async () => assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "What to send"));
  await page.keyboard.type("typed");
  await page.keyboard.press("Control+Enter");
  await client.hears("typed");
  await walk(/^Clients/);
  await page.keyboard.press("ArrowRight");
  await page.getByRole("tab", { name: "Commands", selected: true }).waitFor();
  const outline = await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle);
  assert.notEqual(outline, "none", "what has the focus is seen");
  await page.getByRole("listbox", { name: "Log" }).focus();
  await page.keyboard.press("End");
  await page.getByRole("region", { name: "The selected entry" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("region", { name: "The selected entry" }).waitFor({ state: "hidden" });
});

/** How far the page is wider than the screen. @param {Look} look */
function tooWide(look) {
  return look.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

test(
  "a phone shows everything without scrolling sideways",
  async (look) => {
    await everywhere(look, async (where) => assert.ok((await tooWide(look)) <= 0, `${where}: ${await tooWide(look)} pixels too wide`));
    await look.page.getByRole("button", { name: "Menu" }).click();
    await look.page.getByRole("link", { name: "Lessons", exact: true }).click();
    await look.page.getByRole("heading", { name: "Lessons", exact: true }).first().waitFor();
  },
  { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
);

/** The contrast of text and ground, where it is less than WCAG's AA. @param {Look} look */
function faint(look) {
  return look.page.evaluate(() => {
    /** @param {string} colour @returns {number[]} */
    const channels = (colour) => colour.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    /** @param {number[]} colour */
    const luminance = (colour) => {
      const [r, g, b] = colour.slice(0, 3).map((channel) => (channel / 255 <= 0.03928 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    /** @param {Element | null} element @returns {number[]} */
    const ground = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = channels(getComputedStyle(at).backgroundColor);
        if (colour[3] === undefined || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const found = new Set();
    for (const element of document.querySelectorAll("main *, nav *, header *")) {
      const text = [...element.childNodes].some(({ nodeType, textContent }) => nodeType === Node.TEXT_NODE && textContent?.trim());
      if (!text || !element.checkVisibility() || element.closest(":disabled, .is-gone, .control, option")) continue;
      const [ink, paper] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
      const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      if (contrast < 4.5) found.add(`${element.className || element.tagName}: ${contrast.toFixed(2)} ${element.textContent?.slice(0, 30)}`);
    }
    return [...found];
  });
}

test(
  "who prefers the dark gets it, and can read everything",
  async (look) => {
    assert.equal(await look.page.locator("html").getAttribute("data-theme"), "dark");
    await everywhere(look, async (where) => assert.deepEqual(await faint(look), [], where));
    await look.button("Light or dark").click();
    assert.equal(await look.page.locator("html").getAttribute("data-theme"), "light");
    assert.deepEqual(await faint(look), []);
  },
  { colorScheme: "dark" },
);
