// A scroll bar that counts rows instead of pixels.

import { h } from "../dom.js";

export class Scrollbar {
  /**
   * @param {string} label
   * @param {string} controls the id of what it scrolls
   * @param {(share: number) => void} onMove with 0 for the beginning, and 1 for the end
   */
  constructor(label, controls, onMove) {
    this.thumb = h("div", { class: "thumb" });
    this.element = h("div", { class: "scrollbar", role: "scrollbar", "aria-label": label, "aria-controls": controls, "aria-orientation": "vertical", "aria-valuemin": "0", "aria-valuemax": "100" }, this.thumb);
    this.element.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      const grip = event.target === this.thumb ? event.clientY - this.thumb.getBoundingClientRect().top : this.thumb.offsetHeight / 2;
      /** @param {PointerEvent} moved */
      const move = (moved) => {
        const box = this.element.getBoundingClientRect();
        const way = box.height - this.thumb.offsetHeight;
        onMove(Math.max(0, Math.min(1, (moved.clientY - box.top - grip) / (way || 1))));
      };
      move(event);
      this.element.addEventListener("pointermove", move);
      this.element.addEventListener("lostpointercapture", () => this.element.removeEventListener("pointermove", move), { once: true });
    });
  }

  /**
   * @param {number} first visible
   * @param {number} visible how many are
   * @param {number} count how many there are
   */
  show(first, visible, count) {
    const height = this.element.clientHeight;
    const thumb = Math.max(28, Math.min(height, (height * visible) / Math.max(1, count)));
    const share = Math.max(0, Math.min(1, first / Math.max(1, count - visible)));
    this.element.classList.toggle("is-idle", visible >= count);
    this.thumb.style.height = `${thumb}px`;
    this.thumb.style.transform = `translateY(${share * (height - thumb)}px)`;
    this.element.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  }
}
