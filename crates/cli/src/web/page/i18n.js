// The two languages of the page. A text is a key of the dictionaries in words/; `{name}` in it is a fact.

import en from "./words/en/index.js";
import zh from "./words/zh/index.js";

/** @type {Record<string, Record<string, string>>} */
const DICTIONARIES = { en, zh };

/** The language: asked for in the address, chosen before, or the browser's. */
export let language = first();

function first() {
  const asked = new URLSearchParams(location.search).get("lang");
  const known = [asked, localStorage.getItem("language"), navigator.language.slice(0, 2)];
  return known.find((name) => name && name in DICTIONARIES) ?? "en";
}

/** @param {string} name */
export function setLanguage(name) {
  language = name;
  localStorage.setItem("language", name);
  document.documentElement.lang = name === "zh" ? "zh-CN" : "en";
  document.dispatchEvent(new Event("language"));
}

/**
 * The text of a key in the present language; a key without one stands for itself.
 * @param {string} key
 * @param {Record<string, any>} [facts]
 */
export function t(key, facts) {
  const text = DICTIONARIES[language][key] ?? DICTIONARIES.en[key] ?? key;
  return facts ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? String(facts[name]) : whole)) : text;
}

/**
 * The text of a key, or the English words that came with it where there is no such key. `key+fact` is the text where that fact is
 * known, the last of them counts; a text with a fact that is not known is of no use.
 * @param {string} key
 * @param {Record<string, any>} facts
 * @param {string} words
 */
export function told(key, facts, words) {
  const dictionary = DICTIONARIES[language];
  const isKnown = (/** @type {string} */ name) => facts[name] !== undefined && facts[name] !== null && facts[name] !== false;
  const special = Object.keys(dictionary).filter((one) => one.startsWith(`${key}+`) && isKnown(one.slice(key.length + 1)));
  const has = (/** @type {string} */ one) => one in dictionary && [...dictionary[one].matchAll(/\{(\w+)\}/g)].every(([, name]) => isKnown(name));
  const found = [...special.reverse(), key].find(has);
  return found ? t(found, facts) : words;
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
