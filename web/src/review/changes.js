// A slide's history, in words.

import { ID_SOURCE_TEXTS, formatDate, statusText } from "../record.js";
import { FIELD_NAMES } from "./review.js";

/**
 * As GraphQL returns them: texts as they are, all else as JSON, null for nothing.
 * @typedef {{Field: string, From: string | null, To: string | null}} FieldChange
 * @typedef {{Version: number, At: string, By: string, Action: string, Changes: FieldChange[]}} Change
 *
 * @typedef {object} Entry
 * @property {string} when
 * @property {string} who
 * @property {string} what
 * @property {string[]} lines what people look for
 * @property {string[]} rest what only the curious do
 */

/** @type {Record<string, string>} */
const ACTIONS = {
  EDIT: "Edit",
  IMPORT: "Import",
  DELETE: "Deletion",
  TRANSFER: "Archiving",
  RESTORE: "Bringing back",
  SEND: "Delivery",
  UPGRADE: "Upgrade",
};

/** Not people. @type {Record<string, string>} */
const ACTORS = { import: "the import", cdr: "the delivery to the CDR", removal: "the removal", upgrade: "an upgrade" };

/** @type {Record<string, string>} */
const IMPORT_STATUSES = { IMPORTING: "under way", IMPORTED: "complete", FAILED: "failed" };

const text = (/** @type {string | null} */ value) => (value === null ? "nothing" : `“${value}”`);
const status = (/** @type {string | null} */ value) => (value === null ? "nothing" : statusText(value));
const source = (/** @type {string | null} */ value) => (value === null ? "nothing" : (ID_SOURCE_TEXTS[value] ?? value));
const fromTo = (/** @type {string} */ name, /** @type {string} */ from, /** @type {string} */ to) =>
  `${name}: from ${from} to ${to}`;

/**
 * Fields with words of their own; they come in this order.
 * @type {Record<string, (from: string | null, to: string | null) => string | null>}
 */
const IN_WORDS = {
  SlideID: (from, to) => fromTo(FIELD_NAMES.SlideID, text(from), text(to)),
  CaseID: (from, to) => fromTo(FIELD_NAMES.CaseID, text(from), text(to)),
  IdSource: (from, to) => fromTo("Source of the IDs", source(from), source(to)),
  Status: (from, to) => fromTo(FIELD_NAMES.Status, status(from), status(to)),
  ImportStatus: (_, to) => to && `Import ${IMPORT_STATUSES[to] ?? to}`,
  ImportError: (_, to) => to && `Why the import failed: ${to}`,
  Removal: (from, to) => removalText(parsed(from), parsed(to)),
  Sent: (_, to) => to && `Receipt of the delivery: ${parsed(to)?.Receipt ?? "none"}`,
  SendError: (_, to) => to && `Why it was not sent: ${to}`,
};

/**
 * @param {Change} change
 * @returns {Entry}
 */
export function entryOf(change) {
  const inWords = Object.keys(IN_WORDS).flatMap((field) => {
    const found = change.Changes.find(({ Field }) => Field === field);
    const line = found && IN_WORDS[field](found.From, found.To);
    return line ? [line] : [];
  });
  const rest = change.Changes.filter(({ Field }) => !(Field in IN_WORDS)).map(({ Field, From, To }) =>
    fromTo(Field, text(From), text(To)),
  );
  return {
    when: formatDate(change.At) ?? "",
    who: ACTORS[change.By] ?? change.By,
    what: ACTIONS[change.Action] ?? change.Action,
    lines: inWords,
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
  if (to === null) return `${what} done`;
  if (to.State === "FAILED") return `${what} failed: ${to.Error ?? "no reason was recorded"}`;
  return `${what} asked for`;
}

/**
 * @param {string | null} json
 * @returns {any} null for nothing, and for what is no JSON
 */
function parsed(json) {
  try {
    return JSON.parse(json ?? "null");
  } catch {
    return null;
  }
}
