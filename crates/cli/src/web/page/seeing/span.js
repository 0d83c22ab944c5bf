// Times and spans of time, in words.

import { language, t } from "../i18n.js";

const STEPS = /** @type {[number, string][]} */ ([[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]]);

/**
 * A span with two or three digits: `20 ms`, `1.5 s`, `2 h`.
 * @param {number} seconds
 */
export function span(seconds) {
  const size = Math.abs(seconds);
  if (size < 5e-10) return language === "zh" ? "0 秒" : "0 s";
  const [unit, name] = STEPS.find(([least]) => size >= least * 0.9995) ?? STEPS[STEPS.length - 1];
  const value = seconds / unit;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${t(`unit.${name}`)}`;
}

/**
 * A moment: seconds with microseconds, hours before them where there are some.
 * @param {number} seconds
 */
export function clock(seconds) {
  if (seconds < 3600) return seconds.toFixed(6);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = (seconds % 60).toFixed(3).padStart(6, "0");
  return `${hours}:${String(minutes).padStart(2, "0")}:${rest}`;
}

/**
 * The nearest of 1, 2, 5, 10, … that is not more.
 * @param {number} value
 */
export function round125(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const rest = value / power;
  return (rest >= 5 ? 5 : rest >= 2 ? 2 : 1) * power;
}
