// Bytes, and how they are written down.

/** @param {string} text base64 */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  let text = "";
  // In slices: a function does not take any number of arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** @param {Uint8Array} bytes */
export function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += text ? ` ${HEX[byte]}` : HEX[byte];
  return text;
}

/**
 * A dump in three columns: offset, hexadecimal, and what is ASCII of it.
 * @param {Uint8Array} bytes
 * @param {number} [width] bytes in a line
 */
export function dump(bytes, width = 16) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += width) {
    const line = bytes.subarray(at, at + width);
    const left = hex(line.subarray(0, width / 2));
    const right = hex(line.subarray(width / 2));
    const half = (width / 2) * 3 - 1;
    const ascii = Array.from(line, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${left.padEnd(half)}  ${right.padEnd(half)}  ${ascii}`);
  }
  return lines.join("\n");
}

const ESCAPES = /** @type {Record<string, string>} */ ({ "\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r" });

/**
 * A control character as one writes it in a program; not by its picture, which few fonts have. Those that would turn the writing
 * around are shown too, and not obeyed.
 * @param {string} character
 */
function picture(character) {
  const code = character.charCodeAt(0);
  return ESCAPES[character] ?? (code < 0x100 ? `\\x${HEX[code]}` : `\\u${code.toString(16).padStart(4, "0")}`);
}

/** C0 and C1 controls, DEL, line separators, zero-width and direction marks. */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/g;

/**
 * Text in parts: what can be read, and escapes for what cannot.
 * @param {string} text
 * @returns {{text: string, isControl: boolean}[]}
 */
export function readable(text) {
  const parts = [];
  let after = 0;
  for (const found of text.matchAll(CONTROLS)) {
    if (found.index > after) parts.push({ text: text.slice(after, found.index), isControl: false });
    parts.push({ text: Array.from(found[0], picture).join(""), isControl: true });
    after = found.index + found[0].length;
  }
  if (after < text.length) parts.push({ text: text.slice(after), isControl: false });
  return parts;
}
