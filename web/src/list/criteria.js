// What the slide list is searched by, as a GraphQL query, as a part of the address, and in words.

import { STATUS_TEXTS } from "../record.js";

/**
 * All are texts, as in the form and in the address; an empty one does not matter. Days are values of date inputs, for
 * example `2024-05-17`.
 * @typedef {object} Criteria
 * @property {string} text words, each of which begins a part of the slide ID, the case ID or the file's name
 * @property {string} status
 * @property {string} from the first day
 * @property {string} to the last day
 * @property {string} scanner
 * @property {"" | "unidentified" | "failed"} only
 * @property {string} order a value of the schema's SlideOrder
 *
 * A GraphQL field that lists slides, and its arguments besides `limit` and `nextToken`.
 * @typedef {{field: "searchSlides", arguments: Record<string, string | boolean>}} Listing
 */

/** The orders, in the order of the menu. @type {Record<string, string>} */
export const ORDERS = {
  NEWEST: "Newest first",
  OLDEST: "Oldest first",
  SLIDE_ID: "Slide ID, A to Z",
  SLIDE_ID_DESCENDING: "Slide ID, Z to A",
  STATUS: "Status",
};

/** All slides, newest first. @type {Criteria} */
export const EVERYTHING = { text: "", status: "", from: "", to: "", scanner: "", only: "", order: "NEWEST" };

/** @type {("text" | "status" | "from" | "to" | "scanner" | "only")[]} */
const FILTERS = ["text", "status", "from", "to", "scanner", "only"];
const DAY = /^\d{4}-\d\d-\d\d$/;

/**
 * Parse the criteria from the address. Values that make no sense are left out.
 * @param {URLSearchParams} query
 * @returns {Criteria}
 */
export function parseCriteria(query) {
  const value = (/** @type {string} */ name) => (query.get(name) ?? "").trim();
  const oneOf = (/** @type {string} */ text, /** @type {string[]} */ known) => (known.includes(text) ? text : "");
  const day = (/** @type {string} */ text) => (DAY.test(text) && !Number.isNaN(Date.parse(text)) ? text : "");
  return {
    text: value("text"),
    status: oneOf(value("status").toUpperCase(), Object.keys(STATUS_TEXTS)),
    from: day(value("from")),
    to: day(value("to")),
    scanner: value("scanner"),
    only: /** @type {Criteria["only"]} */ (oneOf(value("only"), ["unidentified", "failed"])),
    order: oneOf(value("order").toUpperCase(), Object.keys(ORDERS)) || EVERYTHING.order,
  };
}

/**
 * Return the criteria as a part of the address: only those that matter.
 * @param {Criteria} criteria
 * @returns {Record<string, string>}
 */
export function criteriaQuery(criteria) {
  const { status, order } = criteria;
  const entries = FILTERS.filter((name) => criteria[name] !== "").map((name) => [name, criteria[name]]);
  return {
    ...Object.fromEntries(entries),
    ...(status && { status: status.toLowerCase() }),
    ...(order !== EVERYTHING.order && { order: order.toLowerCase() }),
  };
}

/**
 * @param {Criteria} one
 * @param {Criteria} other
 * @returns {boolean}
 */
export function sameCriteria(one, other) {
  return one.order === other.order && FILTERS.every((name) => one[name] === other[name]);
}

/**
 * Check whether the criteria leave out some slides.
 * @param {Criteria} criteria
 * @returns {boolean}
 */
export function isFiltered(criteria) {
  return FILTERS.some((name) => criteria[name] !== "");
}

/**
 * Return the criteria as the server takes them.
 * @param {Criteria} criteria
 * @returns {import("../api/api.js").Criteria}
 */
export function searchOf({ text, status, from, to, scanner, only }) {
  return {
    ...(text && { Text: text }),
    ...(status && { Status: status }),
    ...(only === "unidentified" && { Unidentified: true }),
    ...(only === "failed" && { Failed: true }),
    ...(scanner && { Scanner: scanner }),
    ...(from && { ScannedFrom: startOfDay(from) }),
    ...(to && { ScannedTo: endOfDay(to) }),
  };
}

/**
 * Return the listing that the criteria describe.
 * @param {Criteria} criteria
 * @returns {Listing}
 */
export function listingOf(criteria) {
  return { field: "searchSlides", arguments: { ...searchOf(criteria), Order: criteria.order } };
}

/**
 * Say what is searched for.
 * @param {Criteria} criteria
 * @returns {string} for example `“s24-10”, status New, scanned on May 17, 2024`; empty for all slides
 */
export function describeCriteria({ text, status, from, to, scanner, only }) {
  const parts = [
    text && `“${text}”`,
    status && `status ${STATUS_TEXTS[status]}`,
    scannedText(from, to),
    scanner && `scanner “${scanner}”`,
    only === "unidentified" && "IDs not identified",
    only === "failed" && "import failed",
  ];
  return parts.filter(Boolean).join(", ");
}

/**
 * Return the day that it is now, as the value of a date input.
 * @param {Date} [now]
 * @returns {string} in the browser's time zone, in which the list shows times
 */
export function today(now = new Date()) {
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/**
 * @param {string} from
 * @param {string} to
 */
function scannedText(from, to) {
  const day = (/** @type {string} */ text) =>
    new Date(`${text}T00:00:00`).toLocaleDateString(undefined, { dateStyle: "medium" });
  if (from && from === to) return `scanned on ${day(from)}`;
  if (from && to) return `scanned from ${day(from)} to ${day(to)}`;
  if (from) return `scanned since ${day(from)}`;
  return to && `scanned until ${day(to)}`;
}

/** @param {string} day in the browser's time zone */
function startOfDay(day) {
  return new Date(`${day}T00:00:00`).toISOString();
}

/** @param {string} day */
function endOfDay(day) {
  return new Date(`${day}T23:59:59.999`).toISOString();
}
