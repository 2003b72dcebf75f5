// The hash of the page's URL: which slide is open, and its view, or which slide is reviewed. It survives links, reloads and sign-in.

/**
 * A view of a slide: the centre in slide pixels, the zoom in screen pixels per slide pixel, the rotation in degrees.
 * @typedef {{x: number, y: number, zoom: number, rotation: number}} View
 * @typedef {{imageId: string, view: View | null}} SlideRoute
 */

/**
 * Parse the hash.
 * @param {string} hash `location.hash`
 * @returns {SlideRoute | null} null for the list
 */
export function parseRoute(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const imageId = query.get("slide");
  if (!imageId) return null;
  const [x, y, zoom] = ["x", "y", "zoom"].map((name) => Number(query.get(name) ?? NaN));
  const rotation = Number(query.get("rotation") ?? 0);
  const complete = [x, y, zoom, rotation].every(Number.isFinite) && zoom > 0;
  return { imageId, view: complete ? { x, y, zoom, rotation } : null };
}

/**
 * Return the hash for a slide and a view.
 * @param {string} imageId
 * @param {View | null} [view]
 * @returns {string} including `#`
 */
export function formatRoute(imageId, view = null) {
  const query = new URLSearchParams({ slide: imageId });
  if (view) {
    query.set("x", String(Math.round(view.x)));
    query.set("y", String(Math.round(view.y)));
    query.set("zoom", String(Number(view.zoom.toPrecision(4))));
    if (view.rotation) query.set("rotation", String(Number(view.rotation.toFixed(1))));
  }
  return `#${query}`;
}

/**
 * Return the slide that is reviewed.
 * @param {string} hash `location.hash`
 * @returns {string | null} its ImageID; null on other pages
 */
export function parseReview(hash) {
  return new URLSearchParams(hash.replace(/^#/, "")).get("review") || null;
}

/**
 * Return the hash for the review of a slide.
 * @param {string} imageId
 * @param {string} hash the current one: what the list shows is kept
 * @returns {string} including `#`
 */
export function formatReview(imageId, hash) {
  return `#${new URLSearchParams([["review", imageId], ...listQuery(hash)])}`;
}

/**
 * Return the hash for the list, as it was before a slide was opened.
 * @param {string} hash the current one
 * @returns {string} including `#`
 */
export function formatList(hash) {
  return `#${new URLSearchParams(listQuery(hash))}`;
}

/** @param {string} hash */
function listQuery(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  for (const name of ["review", "slide", "x", "y", "zoom", "rotation"]) query.delete(name);
  return [...query];
}
