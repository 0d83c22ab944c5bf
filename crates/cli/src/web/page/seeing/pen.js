// Two pens that draw alike: on a canvas, for the screen and for PNG, and as SVG, for a file. A picture is drawn with either.

import { s } from "../dom.js";

/** @typedef {{color?: string, width?: number, dash?: number[] | null, alpha?: number}} Stroke */
/**
 * @typedef {object} Lettering
 * @property {string} [color]
 * @property {"sans" | "mono"} [face]
 * @property {number} [size] in pixels
 * @property {number} [weight]
 * @property {"left" | "right" | "center"} [align]
 * @property {number} [angle] in radians
 * @property {string} [halo] the colour of a rim, which keeps lines out of the letters
 * @property {number} [most] as wide as this at most; longer text ends in an ellipsis
 * @property {number} [alpha]
 */
/** @typedef {{fill?: string, stroke?: string, radius?: number, alpha?: number}} Area */

/** @type {Record<string, string>} */
const FACES = {};

/** The font of a face, as CSS names it. @param {string} face */
function family(face) {
  FACES[face] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${face}`).trim();
  return FACES[face];
}

/** @param {Lettering} how */
const font = (how) => `${how.weight ?? 400} ${how.size ?? 12}px ${family(how.face ?? "sans")}`;

const measuring = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
/** @type {Map<string, number>} */
let widths = new Map();
const WIDTHS_KEPT = 4000;

/**
 * How wide a text is.
 * @param {string} text
 * @param {Lettering} [how]
 */
export function widthOf(text, how = {}) {
  const key = `${how.weight ?? 400}${how.face ?? "sans"}${how.size ?? 12}${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    measuring.font = font(how);
    width = measuring.measureText(text).width;
    if (widths.size >= WIDTHS_KEPT) widths = new Map();
    widths.set(key, width);
  }
  return width;
}

/**
 * A text that is not wider than it may be.
 * @param {string} text
 * @param {Lettering} how
 */
export function shortened(text, how) {
  if (how.most === undefined || widthOf(text, how) <= how.most) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (widthOf(`${text.slice(0, middle)}…`, how) <= how.most) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? "" : `${text.slice(0, low)}…`;
}

/** Draws on a canvas. */
export class CanvasPen {
  /** @param {CanvasRenderingContext2D} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {Stroke} how */
  stroke({ color = "#000", width = 1, dash = null, alpha = 1 }) {
    const { context } = this;
    context.globalAlpha = alpha;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.setLineDash(dash ?? []);
    context.stroke();
    context.globalAlpha = 1;
  }

  /**
   * A line through points.
   * @param {number[][]} points
   * @param {Stroke} how
   */
  line(points, how) {
    this.context.beginPath();
    points.forEach(([x, y], index) => (index === 0 ? this.context.moveTo(x, y) : this.context.lineTo(x, y)));
    this.stroke(how);
  }

  /**
   * A filled shape between points.
   * @param {number[][]} points
   * @param {Area} how
   */
  shape(points, { fill = "#000", alpha = 1 }) {
    const { context } = this;
    context.beginPath();
    points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    context.closePath();
    context.globalAlpha = alpha;
    context.fillStyle = fill;
    context.fill();
    context.globalAlpha = 1;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @param {Area} how
   */
  rect(x, y, width, height, { fill, stroke, radius = 0, alpha = 1 }) {
    const { context } = this;
    context.beginPath();
    context.roundRect(x, y, Math.max(0, width), Math.max(0, height), radius);
    context.globalAlpha = alpha;
    if (fill) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke) this.stroke({ color: stroke, alpha });
    context.globalAlpha = 1;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} radius
   * @param {Area} how
   */
  circle(x, y, radius, { fill, stroke, alpha = 1 }) {
    const { context } = this;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.globalAlpha = alpha;
    if (fill) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke) this.stroke({ color: stroke, alpha });
    context.globalAlpha = 1;
  }

  /**
   * A text; `y` is its base line.
   * @param {number} x
   * @param {number} y
   * @param {string} text
   * @param {Lettering} how
   */
  text(x, y, text, how) {
    const { context } = this;
    const shown = shortened(text, how);
    context.save();
    context.translate(x, y);
    if (how.angle) context.rotate(how.angle);
    context.font = font(how);
    context.textAlign = how.align ?? "left";
    context.globalAlpha = how.alpha ?? 1;
    if (how.halo) {
      context.strokeStyle = how.halo;
      context.lineWidth = 4;
      context.lineJoin = "round";
      context.setLineDash([]);
      context.strokeText(shown, 0, 0);
    }
    context.fillStyle = how.color ?? "#000";
    context.fillText(shown, 0, 0);
    context.restore();
  }
}

const ANCHORS = { left: "start", right: "end", center: "middle" };

/** Draws as SVG. */
export class SvgPen {
  /**
   * @param {number} width
   * @param {number} height
   * @param {string} background
   */
  constructor(width, height, background) {
    this.root = s("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` });
    this.rect(0, 0, width, height, { fill: background });
  }

  /**
   * @param {number[][]} points
   * @param {Stroke} how
   */
  line(points, { color = "#000", width = 1, dash = null, alpha = 1 }) {
    const drawn = points.map((point) => point.map(short).join(",")).join(" ");
    this.root.append(s("polyline", { points: drawn, fill: "none", stroke: color, "stroke-width": width, "stroke-dasharray": dash?.join(" "), opacity: alpha }));
  }

  /**
   * @param {number[][]} points
   * @param {Area} how
   */
  shape(points, { fill = "#000", alpha = 1 }) {
    this.root.append(s("polygon", { points: points.map((point) => point.map(short).join(",")).join(" "), fill, opacity: alpha }));
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @param {Area} how
   */
  rect(x, y, width, height, { fill = "none", stroke, radius = 0, alpha = 1 }) {
    this.root.append(s("rect", { x: short(x), y: short(y), width: short(Math.max(0, width)), height: short(Math.max(0, height)), rx: radius, fill, stroke, opacity: alpha }));
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} radius
   * @param {Area} how
   */
  circle(x, y, radius, { fill = "none", stroke, alpha = 1 }) {
    this.root.append(s("circle", { cx: short(x), cy: short(y), r: radius, fill, stroke, opacity: alpha }));
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {string} text
   * @param {Lettering} how
   */
  text(x, y, text, how) {
    const turn = how.angle ? ` rotate(${short((how.angle * 180) / Math.PI)})` : "";
    this.root.append(
      s(
        "text",
        {
          transform: `translate(${short(x)} ${short(y)})${turn}`,
          "font-family": family(how.face ?? "sans"), "font-size": how.size ?? 12, "font-weight": how.weight,
          "text-anchor": ANCHORS[how.align ?? "left"], fill: how.color, opacity: how.alpha,
          stroke: how.halo, "stroke-width": how.halo && 4, "stroke-linejoin": how.halo && "round", "paint-order": how.halo && "stroke",
        },
        shortened(text, how),
      ),
    );
  }

  /** The file. */
  toString() {
    return new XMLSerializer().serializeToString(this.root);
  }
}

/** @typedef {CanvasPen | SvgPen} Pen */

/** @param {number} value */
const short = (value) => Math.round(value * 100) / 100;

/** The colours of the page as it is now, by their names in tokens.css. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy(/** @type {Record<string, string>} */ ({}), {
    get: (known, name) => (known[String(name)] ??= style.getPropertyValue(`--${String(name)}`).trim()),
  });
}

/** @typedef {Record<string, string>} Palette */

/**
 * Hands a file to the browser.
 * @param {string} name
 * @param {Blob} content
 */
export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * A canvas with as many dots as the screen has, and a pen for it.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function penFor(canvas, width, height) {
  const dots = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * dots), Math.round(height * dots)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(dots, 0, 0, dots, 0, 0);
  context.clearRect(0, 0, width, height);
  return new CanvasPen(context);
}
