// What is drawn anew keeps the focus where it was: who uses the keyboard is not thrown back to the beginning.

const FIELDS = "input, select, textarea, button, summary, a[href]";

/**
 * Draws something anew; the field that had the focus, by its place among the fields, has it again.
 * @param {Element} element
 * @param {() => void} draw
 */
export function keepFocus(element, draw) {
  const { activeElement } = document;
  const place = activeElement && element.contains(activeElement) ? [...element.querySelectorAll(FIELDS)].indexOf(activeElement) : -1;
  draw();
  if (place < 0) return;
  const field = element.querySelectorAll(FIELDS)[place];
  if (field instanceof HTMLElement) field.focus({ preventScroll: true });
}

/**
 * Whether somebody is typing in it: then it is not to be drawn anew.
 * @param {Element} element
 */
export function isTypedIn(element) {
  const { activeElement } = document;
  if (!activeElement || !element.contains(activeElement)) return false;
  if (activeElement instanceof HTMLInputElement) return !["checkbox", "radio", "button", "file"].includes(activeElement.type);
  return activeElement instanceof HTMLTextAreaElement;
}
