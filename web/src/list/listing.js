// What one looks at in the list, as a query.

/**
 * A field of GraphQL's that lists slides, its arguments besides the page's, and what an empty list says.
 * @typedef {object} Listing
 * @property {"listSlides" | "listUnsentSlides" | "listUnidentified" | "listImportFailures" | "querySlidesByStatus" |
 *   "searchSlides"} field
 * @property {Record<string, string>} arguments
 * @property {string} none
 *
 * What a search form holds; days as date inputs have them, `2024-05-17`.
 * @typedef {{slideId: string, caseId: string, scanner: string, from: string, to: string}} SearchForm
 */

/** @type {Listing} */
export const ALL = { field: "listSlides", arguments: {}, none: "No slides yet." };
/** @type {Listing} */
export const UNSENT = { field: "listUnsentSlides", arguments: {}, none: "Nothing is left to do." };
/** @type {Listing} */
export const UNIDENTIFIED = { field: "listUnidentified", arguments: {}, none: "All slides are identified." };
/** @type {Listing} */
export const FAILURES = { field: "listImportFailures", arguments: {}, none: "No import has failed." };

/**
 * @param {string} status
 * @returns {Listing}
 */
export function byStatus(status) {
  return { field: "querySlidesByStatus", arguments: { Status: status }, none: "No slide has this status." };
}

/**
 * @param {SearchForm} form
 * @returns {Listing | null} null where nothing is looked for
 */
export function search({ slideId, caseId, scanner, from, to }) {
  const given = {
    SlideIDPrefix: slideId.trim(),
    CaseIDPrefix: caseId.trim(),
    Scanner: scanner.trim(),
    ScannedFrom: from && startOfDay(from),
    ScannedTo: to && endOfDay(to),
  };
  const wanted = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
  if (Object.keys(wanted).length === 0) return null;
  return { field: "searchSlides", arguments: wanted, none: "No slides found. Capitals matter in IDs." };
}

/** @param {string} day in the reader's own time zone, as the list shows times */
function startOfDay(day) {
  return new Date(`${day}T00:00:00`).toISOString();
}

/** @param {string} day */
function endOfDay(day) {
  return new Date(`${day}T23:59:59.999`).toISOString();
}
