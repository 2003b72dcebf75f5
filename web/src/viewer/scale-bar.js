// The scale bar: a round length on the slide, and its width on the screen.

/** The greatest width on the screen. */
export const SCALE_BAR_MAX_PX = 180;

/**
 * Return the longest round length (1, 2 or 5 times a power of ten) up to a limit.
 * @param {number} limit greater than zero
 * @returns {number}
 */
export function roundLength(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  // 10 and 0.5 are for logarithms whose rounding error crosses a whole number
  const factor = [10, 5, 2, 1, 0.5].find((candidate) => candidate * power <= limit) ?? 0.5;
  return Number((factor * power).toPrecision(1));
}

/**
 * Format a length.
 * @param {number} lengthUm micrometres
 * @returns {string} for example `200 µm` or `2 mm`
 */
export function formatLength(lengthUm) {
  return lengthUm >= 1000 ? `${lengthUm / 1000} mm` : `${lengthUm} µm`;
}

/**
 * Return the scale bar for a zoom.
 * @param {number} mppUm micrometres per slide pixel
 * @param {number} imageZoom screen pixels per slide pixel
 * @param {number} maxWidthPx the greatest width on the screen
 * @returns {{text: string, lengthUm: number, widthPx: number}}
 */
export function scaleBar(mppUm, imageZoom, maxWidthPx) {
  const umPerScreenPx = mppUm / imageZoom;
  const lengthUm = roundLength(maxWidthPx * umPerScreenPx);
  return { text: formatLength(lengthUm), lengthUm, widthPx: lengthUm / umPerScreenPx };
}
