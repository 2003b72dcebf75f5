// Saves what is on the screen as a PNG file, with the scale bar and as it is adjusted.

import { RequestError } from "../api/errors.js";

/** @typedef {import("./slide-view.js").SlideView} SlideView */

const BAR = { margin: 16, padding: 8, height: 4, font: 13 };

/**
 * Draw what a view shows, once its tiles are loaded.
 * @param {SlideView} view
 * @param {{curve: number[] | null, bar: {text: string, widthPx: number} | null, draw: (context: CanvasRenderingContext2D) => void}} parts
 *   the curve of the adjustments, the scale bar, and what draws over the slide, in CSS pixels
 * @returns {Promise<Blob>} a PNG, in device pixels
 * @throws {RequestError} if the browser cannot make it
 */
export async function picture(view, { curve, bar, draw }) {
  await new Promise((resolve) => view.image.whenFullyLoaded(() => requestAnimationFrame(resolve)));
  const source = view.osd.drawer.canvas;
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height;
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw failed();
  context.fillStyle = "white"; // around the slide, as around a printed figure
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0);
  if (curve) adjust(context, curve);
  const density = OpenSeadragon.pixelDensityRatio;
  context.scale(density, density);
  draw(context);
  if (bar) drawScaleBar(context, canvas.height / density, bar);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(failed())), "image/png");
  });
}

/**
 * Have the browser save a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click
}

/**
 * Return a file name for a picture of a slide.
 * @param {string} slideName
 * @returns {string}
 */
export function pictureName(slideName) {
  const safe = slideName.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^[._]+/, "");
  return `${safe.slice(0, 80) || "slide"}.png`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} curve
 */
function adjust(context, curve) {
  const levels = curve.map((value) => Math.round(value * 255));
  const image = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
  const { data } = image;
  for (let at = 0; at < data.length; at += 4) {
    data[at] = levels[data[at]];
    data[at + 1] = levels[data[at + 1]];
    data[at + 2] = levels[data[at + 2]];
  }
  context.putImageData(image, 0, 0);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} height of the picture
 * @param {{text: string, widthPx: number}} bar
 */
function drawScaleBar(context, height, { text, widthPx }) {
  const { margin, padding, height: thickness, font } = BAR;
  context.font = `${font}px sans-serif`;
  const boxHeight = padding * 2 + thickness + 4 + font;
  const boxWidth = padding * 2 + Math.max(widthPx, context.measureText(text).width);
  const top = height - margin - boxHeight;
  context.fillStyle = "rgb(255 255 255 / 85%)";
  context.fillRect(margin, top, boxWidth, boxHeight);
  context.fillStyle = "black";
  context.textBaseline = "top";
  context.fillText(text, margin + padding, top + padding);
  context.fillRect(margin + padding, top + padding + font + 4, widthPx, thickness);
}

function failed() {
  return new RequestError("invalid", "The browser could not make the picture.");
}
