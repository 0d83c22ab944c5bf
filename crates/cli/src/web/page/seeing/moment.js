// The moment that a view of a recording shows: the end, or a time one has gone back to. All its parts follow it.

export class Moment extends EventTarget {
  constructor() {
    super();
    /** @type {number | null} seconds; null is the end, whatever comes */
    this.time = null;
    /** @type {any | null} the row that is looked at */
    this.row = null;
    /** @type {Map<number, string>} the severity of what was found about rows, by their numbers */
    this.findings = new Map();
  }

  /** @param {Map<number, string>} findings */
  find(findings) {
    this.findings = findings;
    this.dispatchEvent(new Event("findings"));
  }

  /** @param {number | null} time */
  go(time) {
    if (time === this.time) return;
    this.time = time;
    this.dispatchEvent(new Event("time"));
  }

  /**
   * Looks at a row, from wherever in the view that was asked for.
   * @param {number} row its number
   */
  jump(row) {
    this.dispatchEvent(new CustomEvent("jump", { detail: row }));
  }

  /** @param {any | null} row */
  look(row) {
    this.row = row;
    this.dispatchEvent(new Event("row"));
  }

  /**
   * @param {"time" | "row" | "findings"} what
   * @param {() => void} listener
   * @param {AbortSignal} signal
   */
  on(what, listener, signal) {
    this.addEventListener(what, listener, { signal });
  }

  /**
   * @param {(row: number) => void} listener
   * @param {AbortSignal} signal
   */
  onJump(listener, signal) {
    this.addEventListener("jump", (event) => listener(/** @type {CustomEvent} */ (event).detail), { signal });
  }
}
