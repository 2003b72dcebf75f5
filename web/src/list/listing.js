// The listings that the slide list can show, as GraphQL queries.

/**
 * A GraphQL field that lists slides, its arguments besides `limit` and `nextToken`, and the text for an empty list.
 * @typedef {object} Listing
 * @property {"listSlides" | "listUnsentSlides" | "listUnidentified" | "listImportFailures" | "querySlidesByStatus" |
 *   "searchSlides"} field
 * @property {Record<string, string | boolean>} arguments
 * @property {string} emptyText
 *
 * The values of the search form. Days are values of date inputs, for example `2024-05-17`.
 * @typedef {{slideId: string, caseId: string, scanner: string, from: string, to: string}} SearchForm
 */

/** @type {Listing} */
export const ALL = { field: "listSlides", arguments: {}, emptyText: "No slides yet." };
/** @type {Listing} */
export const UNSENT = { field: "listUnsentSlides", arguments: {}, emptyText: "No unsent slides." };
/** @type {Listing} */
export const UNIDENTIFIED = { field: "listUnidentified", arguments: {}, emptyText: "All slides are identified." };
/** @type {Listing} */
export const FAILURES = { field: "listImportFailures", arguments: {}, emptyText: "No import has failed." };

/**
 * Return the listing of slides with this status.
 * @param {string} status
 * @returns {Listing}
 */
export function byStatus(status) {
  return { field: "querySlidesByStatus", arguments: { Status: status }, emptyText: "No slide has this status." };
}

/**
 * Return the listing that a search form describes.
 * @param {SearchForm} form
 * @returns {Listing | null} null if the form is empty
 */
export function search({ slideId, caseId, scanner, from, to }) {
  const values = {
    SlideIDPrefix: slideId.trim(),
    CaseIDPrefix: caseId.trim(),
    Scanner: scanner.trim(),
    ScannedFrom: from && startOfDay(from),
    ScannedTo: to && endOfDay(to),
  };
  const filters = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
  if (Object.keys(filters).length === 0) return null;
  return { field: "searchSlides", arguments: filters, emptyText: "No slides found. IDs are case-sensitive." };
}

/** @param {string} day in the browser's time zone, in which the list shows times */
function startOfDay(day) {
  return new Date(`${day}T00:00:00`).toISOString();
}

/** @param {string} day */
function endOfDay(day) {
  return new Date(`${day}T23:59:59.999`).toISOString();
}
