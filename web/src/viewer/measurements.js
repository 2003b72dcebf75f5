// Lengths and areas on a slide: how large they are, and the texts that say it.

/**
 * @typedef {{x: number, y: number}} Point in slide pixels
 * @typedef {"length" | "area"} Kind
 * @typedef {{kind: Kind, points: Point[]}} Measurement a line of several parts, or a polygon
 */

/** How many points a measurement needs. @type {Readonly<Record<Kind, number>>} */
export const MIN_POINTS = Object.freeze({ length: 2, area: 3 });
/** The scale bar's reader expects 0.5 %: a fourth digit keeps the rounding well below that. */
const DIGITS = 4;
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: DIGITS });

/**
 * Return the length of a line.
 * @param {Point[]} points
 * @returns {number} in slide pixels
 */
export function lengthOf(points) {
  return points
    .slice(1)
    .reduce((sum, { x, y }, before) => sum + Math.hypot(x - points[before].x, y - points[before].y), 0);
}

/**
 * Return the area of a polygon that does not cross itself.
 * @param {Point[]} points
 * @returns {number} in square slide pixels
 */
export function areaOf(points) {
  const origin = points[0] ?? { x: 0, y: 0 }; // near the polygon, so that large coordinates lose no digits
  const doubled = points.reduce((sum, { x, y }, index) => {
    const next = points[(index + 1) % points.length];
    return sum + (x - origin.x) * (next.y - origin.y) - (next.x - origin.x) * (y - origin.y);
  }, 0);
  return Math.abs(doubled) / 2;
}

/**
 * Check whether two sides of a polygon cross, so that it has no area.
 * @param {Point[]} points
 * @returns {boolean}
 */
export function crossesItself(points) {
  const sides = points.map((point, index) => [point, points[(index + 1) % points.length]]);
  return sides.some(([a, b], one) =>
    sides.some(([c, d], other) => {
      const areNeighbours = other - one < 2 || (one === 0 && other === sides.length - 1);
      return !areNeighbours && side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
    }),
  );
}

/**
 * Return on which side of the line from a to b a point lies.
 * @param {Point} a
 * @param {Point} b
 * @param {Point} point
 */
function side(a, b, point) {
  return Math.sign((b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x));
}

/**
 * Format a length.
 * @param {number} lengthPx in slide pixels
 * @param {number | null | undefined} mppUm micrometres per slide pixel; without it the text is in pixels
 * @returns {string} for example `123.4 µm`, `1.234 mm` or `1,234 px`
 */
export function formatLength(lengthPx, mppUm) {
  if (!mppUm) return `${number.format(lengthPx)} px`;
  const lengthUm = rounded(lengthPx * mppUm);
  return lengthUm < 1000 ? `${number.format(lengthUm)} µm` : `${number.format(lengthUm / 1000)} mm`;
}

/**
 * Format an area.
 * @param {number} areaPx in square slide pixels
 * @param {number | null | undefined} mppUm micrometres per slide pixel; without it the text is in pixels
 * @returns {string} for example `1,234 µm²`, `0.01234 mm²` or `1,234 px²`
 */
export function formatArea(areaPx, mppUm) {
  if (!mppUm) return `${number.format(areaPx)} px²`;
  const areaUm2 = rounded(areaPx * mppUm ** 2);
  return areaUm2 < 10_000 ? `${number.format(areaUm2)} µm²` : `${number.format(areaUm2 / 1_000_000)} mm²`;
}

/**
 * Return a measurement's value as a text.
 * @param {Measurement} measurement
 * @param {number | null | undefined} mppUm
 * @returns {string}
 */
export function valueText({ kind, points }, mppUm) {
  if (kind === "length") return formatLength(lengthOf(points), mppUm);
  return crossesItself(points) ? "the outline crosses itself" : formatArea(areaOf(points), mppUm);
}

/**
 * Return the names of measurements: each kind is counted for itself.
 * @param {Measurement[]} measurements
 * @returns {string[]} for example `Length 1`, `Area 1`, `Length 2`
 */
export function namesOf(measurements) {
  const counts = { length: 0, area: 0 };
  return measurements.map(({ kind }) => `${kind === "length" ? "Length" : "Area"} ${(counts[kind] += 1)}`);
}

/**
 * Return measurements as lines of text.
 * @param {Measurement[]} measurements
 * @param {number | null | undefined} mppUm
 * @returns {string}
 */
export function textOf(measurements, mppUm) {
  const names = namesOf(measurements);
  const lines = measurements.map((measurement, index) => `${names[index]}: ${valueText(measurement, mppUm)}`);
  if (!mppUm) lines.push("The slide's pixel size is unknown.");
  return lines.join("\n");
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toPrecision(DIGITS));
}
