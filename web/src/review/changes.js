// The texts of a slide's history.

import { ID_SOURCE_TEXTS, REVIEW_REASONS, formatDate, statusText } from "../record.js";
import { FIELD_NAMES } from "./review.js";

/**
 * As GraphQL returns them: strings as they are, other values as JSON, null for a missing value.
 * @typedef {{Field: string, From: string | null, To: string | null}} FieldChange
 * @typedef {{Version: number, At: string, By: string, Action: string, Changes: FieldChange[]}} Change
 *
 * @typedef {object} Entry
 * @property {string} when
 * @property {string} who
 * @property {string} what
 * @property {string[]} lines changes of fields that users know
 * @property {string[]} rest changes of all other fields
 */

/** @type {Record<string, string>} */
const ACTIONS = {
  EDIT: "Edit",
  IMPORT: "Import",
  DELETE: "Deletion",
  TRANSFER: "Archiving",
  RESTORE: "Restoring",
  SEND: "Sending",
  UPGRADE: "Upgrade",
};

/** Values of `By` that are not people. The action says which part of the system it was. */
const SYSTEM = ["import", "cdr", "removal", "upgrade"];

/** @type {Record<string, string>} */
const IMPORT_STATUSES = { IMPORTING: "in progress", IMPORTED: "complete", FAILED: "failed" };

const text = (/** @type {string | null} */ value) => (value === null ? "none" : `“${value}”`);
const status = (/** @type {string | null} */ value) => (value === null ? "none" : statusText(value));
const source = (/** @type {string | null} */ value) => (value === null ? "none" : (ID_SOURCE_TEXTS[value] ?? value));
const reasonText = (/** @type {string} */ value) =>
  REVIEW_REASONS[/** @type {keyof typeof REVIEW_REASONS} */ (value)] ?? value;
const reason = (/** @type {string | null} */ value) => (value === null ? "none" : reasonText(value));
const fromTo = (/** @type {string} */ name, /** @type {string} */ from, /** @type {string} */ to) =>
  `${name}: from ${from} to ${to}`;

/**
 * The texts of the fields that users know, in the order in which they are shown.
 * @type {Record<string, (from: string | null, to: string | null) => string | null>}
 */
const KNOWN_FIELDS = {
  SlideID: (from, to) => fromTo(FIELD_NAMES.SlideID, text(from), text(to)),
  CaseID: (from, to) => fromTo(FIELD_NAMES.CaseID, text(from), text(to)),
  IdSource: (from, to) => fromTo("Source of the IDs", source(from), source(to)),
  Status: (from, to) => fromTo(FIELD_NAMES.Status, status(from), status(to)),
  ReviewReason: (from, to) => fromTo("Reason", reason(from), reason(to)),
  ReviewNote: (from, to) => fromTo("Note", text(from), text(to)),
  ImportStatus: (_, to) => to && `Import ${IMPORT_STATUSES[to] ?? to}`,
  ImportError: (_, to) => to && `Import error: ${to}`,
  ConflictsWith: (_, to) => to && `In the import's way: slide ${to}`,
  Removal: (from, to) => removalText(parsed(from), parsed(to)),
  Sent: (_, to) => to && `CDR receipt: ${parsed(to)?.Receipt ?? "none"}`,
  SendError: (_, to) => to && `Sending error: ${to}`,
};

/**
 * Describe one change for the history.
 * @param {Change} change
 * @returns {Entry}
 */
export function entryOf(change) {
  const lines = Object.keys(KNOWN_FIELDS).flatMap((field) => {
    const found = change.Changes.find(({ Field }) => Field === field);
    const line = found && KNOWN_FIELDS[field](found.From, found.To);
    return line ? [line] : [];
  });
  const rest = change.Changes.filter(({ Field }) => !(Field in KNOWN_FIELDS)).map(({ Field, From, To }) =>
    fromTo(Field, text(From), text(To)),
  );
  return {
    when: formatDate(change.At) ?? "",
    who: SYSTEM.includes(change.By) ? "the system" : change.By,
    what: ACTIONS[change.Action] ?? change.Action,
    lines,
    rest,
  };
}

/**
 * @param {any} from
 * @param {any} to
 * @returns {string}
 */
function removalText(from, to) {
  const what = ACTIONS[(to ?? from)?.Operation] ?? "Removal";
  if (to === null) return `${what} finished`;
  if (to.State === "FAILED") return `${what} failed: ${to.Error ?? "no reason was recorded"}`;
  return `${what} requested`;
}

/**
 * @param {string | null} json
 * @returns {any} null for null and for text that is not JSON
 */
function parsed(json) {
  try {
    return JSON.parse(json ?? "null");
  } catch {
    return null;
  }
}
