// Magnification as on a microscope: the objective's at one slide pixel per screen pixel, and less when zoomed out.

const STEPS = [1, 2.5, 5, 10, 20, 40];

/**
 * Return the magnifications that get a button: those up to the objective's.
 * @param {number | null | undefined} appMag the objective's magnification
 * @returns {number[]}
 */
export function magnificationSteps(appMag) {
  return appMag ? STEPS.filter((step) => step <= appMag) : [];
}

/**
 * Return the zoom at which the slide has a magnification.
 * @param {number} magnification
 * @param {number} appMag
 * @returns {number} screen pixels per slide pixel
 */
export function imageZoomAt(magnification, appMag) {
  return magnification / appMag;
}

/**
 * Format the magnification at a zoom.
 * @param {number} imageZoom screen pixels per slide pixel
 * @param {number | null | undefined} appMag
 * @returns {string} for example `5.0×`; a percentage of full size if the objective is unknown
 */
export function formatMagnification(imageZoom, appMag) {
  if (!appMag) return `${Number((imageZoom * 100).toPrecision(2))}%`;
  const magnification = imageZoom * appMag;
  return `${magnification.toFixed(magnification < 1 ? 2 : 1)}×`;
}
