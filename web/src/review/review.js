// The rules of the review: which edits and removals the server accepts, and how to merge an edit with somebody else's.
// The server checks each request again; the pages use these rules to offer only what it accepts.

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {"DELETE" | "TRANSFER" | "RESTORE"} Operation
 * @typedef {{SlideID: string, CaseID: string}} TypedIds the values of the inputs
 * @typedef {{SlideID?: string | null, CaseID?: string | null, Status?: string,
 *   ReviewReason?: import("../record.js").ReviewReason | null, ReviewNote?: string | null}} Edit the fields to change
 *
 * A field that somebody else has changed: its current value, and the user's own value if there is one.
 * @typedef {{field: "SlideID" | "CaseID" | "Status" | "ReviewReason", now: string | null, mine?: string | null}} Difference
 */

/** The Cognito group of the users who review. */
export const TECHNICIANS = "Technicians";

/** @type {("SlideID" | "CaseID")[]} */
export const ID_FIELDS = ["SlideID", "CaseID"];

/** @type {Record<string, string[]>} */
const NEXT = {
  NEW: ["GOOD", "BAD"],
  GOOD: ["BAD", "SEND", "NEW"],
  BAD: ["GOOD", "NEW"],
  SENT: ["SEND"],
  SEND_FAILED: ["SEND"],
};

/**
 * Check whether the server accepts edits.
 * @param {Slide} slide
 * @returns {boolean}
 */
export function isEditable(slide) {
  return slide.Status !== "DELETED" && slide.Removal?.State !== "REQUESTED";
}

/**
 * Return the statuses that a technician can set now.
 * @param {Slide} slide
 * @returns {string[]}
 */
export function nextStatuses(slide) {
  if (!isEditable(slide)) return [];
  const next = NEXT[slide.Status ?? "NEW"] ?? [];
  return next.filter((status) => status !== "SEND" || notSendable(slide) === null);
}

/**
 * Explain why a slide cannot be sent although its status allows it.
 * @param {Slide} slide
 * @returns {string | null} null if it can be sent, or if its status does not allow it
 */
export function notSendable(slide) {
  if (!isEditable(slide) || !NEXT[slide.Status ?? "NEW"]?.includes("SEND")) return null;
  if (slide.ImportStatus !== "IMPORTED") return "It can be sent once its import is complete.";
  const missing = ID_FIELDS.filter((field) => !slide[field]).map(fieldInSentence);
  if (missing.length) return `It can be sent once it has a ${missing.join(" and a ")}.`;
  return slide.IdSource === "NONE" ? "It can be sent once its slide ID is typed or confirmed." : null;
}

/**
 * Return the record as it would be after the typed IDs are saved.
 * @param {Slide} seen
 * @param {TypedIds} typed
 * @returns {Slide}
 */
export function asTyped(seen, typed) {
  const ids = { SlideID: idOf(typed.SlideID), CaseID: idOf(typed.CaseID) };
  const identified = ids.SlideID !== null && ids.SlideID !== (seen.SlideID ?? null);
  return { ...seen, ...ids, IdSource: identified ? "TYPED" : seen.IdSource };
}

/**
 * Check whether the user can confirm the IDs: both are there, and they were neither read from the label nor typed.
 * @param {Slide} seen
 * @param {TypedIds} typed
 * @returns {boolean}
 */
export function isConfirmable(seen, typed) {
  const complete = ID_FIELDS.every((field) => idOf(typed[field]) !== null);
  return isEditable(seen) && seen.IdSource === "NONE" && complete;
}

/**
 * Check whether a record already has all values of an edit.
 * @param {Edit} edit
 * @param {Slide} now
 * @returns {boolean}
 */
export function isDone(edit, now) {
  const same = Object.entries(edit).every(
    ([field, value]) => (now[/** @type {keyof Edit} */ (field)] ?? null) === value,
  );
  const identifies = Boolean(edit.SlideID && now.CaseID);
  return same && !(identifies && now.IdSource === "NONE");
}

/** The names of fields on the pages. */
export const FIELD_NAMES = { SlideID: "Slide ID", CaseID: "Case ID", Status: "Status", ReviewReason: "Reason" };

/**
 * Return a field's name for use within a sentence.
 * @param {"SlideID" | "CaseID"} field
 */
export function fieldInSentence(field) {
  return { SlideID: "slide ID", CaseID: "case ID" }[field];
}

/**
 * Return the operations of /RemoveImages that are possible now.
 * @param {Slide} slide
 * @returns {Operation[]}
 */
export function removals(slide) {
  if (!isEditable(slide)) return [];
  const failed = slide.Removal ? /** @type {Operation} */ (slide.Removal.Operation) : null;
  // an operation that failed can be repeated, or the slide can be deleted
  if (failed) return failed === "DELETE" ? ["DELETE"] : [failed, "DELETE"];
  if (slide.ImportStatus === "IMPORTING") return [];
  if (slide.Status === "TRANSFERRED") return ["RESTORE", "DELETE"];
  return slide.ImportStatus === "IMPORTED" ? ["TRANSFER", "DELETE"] : ["DELETE"];
}

/**
 * Normalize an ID as the server does.
 * @param {string} text
 * @returns {string | null} null for an empty text; it removes the ID
 */
export function idOf(text) {
  return text.normalize("NFC").trim() || null;
}

/**
 * Return the case ID that a slide ID begins with, as the server derives it.
 * @param {string} slideId
 * @returns {string} all before its last hyphen, or all of it
 */
export function caseOf(slideId) {
  const end = slideId.lastIndexOf("-");
  return end > 0 ? slideId.slice(0, end) : slideId;
}

/**
 * Check whether the case ID follows the slide ID while the user types: nobody has typed another.
 * @param {Slide} slide
 * @returns {boolean}
 */
export function followsSlideId({ SlideID, CaseID }) {
  return !CaseID || CaseID === caseOf(SlideID ?? "");
}

/**
 * Check whether a slide ID contradicts the barcode, which may have more than the slide ID.
 * @param {Slide} slide
 * @param {string} slideId
 * @returns {boolean}
 */
export function contradictsBarcode({ Barcode }, slideId) {
  const text = Barcode?.text;
  return Boolean(text) && !String(text).toLowerCase().includes(slideId.toLowerCase());
}

/**
 * Return the fields that differ from the record that the user saw.
 * @param {Slide} seen
 * @param {TypedIds} typed
 * @param {string | null} [status] the status that the user chose
 * @returns {Edit}
 */
export function editOf(seen, typed, status = null) {
  /** @type {Edit} */
  const edit = {};
  for (const field of ID_FIELDS) {
    const id = idOf(typed[field]);
    if (id !== (seen[field] ?? null)) edit[field] = id;
  }
  if (status !== null && status !== seen.Status) edit.Status = status;
  return edit;
}

/**
 * Apply typed IDs to a newer record: fields that the user edited stay, all others get their current value.
 * @param {Slide} seen
 * @param {TypedIds} typed
 * @param {Slide} now
 * @param {string | null} [status] the status that the user chose, if it is not saved
 * @returns {{typed: TypedIds, differences: Difference[]}} the differences: fields that somebody else has changed to
 *   other values than the user's
 */
export function rebase(seen, typed, now, status = null) {
  const mine = editOf(seen, typed, status);
  const rebased = { ...typed };
  /** @type {Difference[]} */
  const differences = [];
  for (const field of ID_FIELDS) {
    const current = now[field] ?? null;
    const edited = mine[field] !== undefined;
    if (!edited || mine[field] === current) rebased[field] = current ?? "";
    if (current !== (seen[field] ?? null) && mine[field] !== current) {
      differences.push(edited ? { field, now: current, mine: mine[field] } : { field, now: current });
    }
  }
  const statusNow = now.Status ?? null;
  if (statusNow !== (seen.Status ?? null) && statusNow !== status) {
    differences.push(status ? { field: "Status", now: statusNow, mine: status } : { field: "Status", now: statusNow });
  }
  return { typed: rebased, differences };
}
