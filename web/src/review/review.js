// What technicians may do with a slide: the review's rules as the server has them. It decides; these spare people
// what it would refuse, and keep what they typed when somebody else was faster.

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {"DELETE" | "TRANSFER" | "RESTORE"} Operation
 * @typedef {{SlideID: string, CaseID: string}} Typed what the inputs hold
 * @typedef {{SlideID?: string | null, CaseID?: string | null, Status?: string}} Edit what is to change
 *
 * A field that somebody else has changed: what it is now, and what one typed or wanted there, undefined for nothing.
 * @typedef {{field: "SlideID" | "CaseID" | "Status", now: string | null, mine?: string | null}} Difference
 */

/** The Cognito group of those who review. */
export const TECHNICIANS = "Technicians";

/** @type {("SlideID" | "CaseID")[]} */
export const ID_FIELDS = ["SlideID", "CaseID"];

/** @type {Record<string, string[]>} */
const NEXT = {
  NEW: ["GOOD", "BAD"],
  GOOD: ["BAD", "SEND"],
  BAD: ["GOOD"],
  SENT: ["SEND"],
  SEND_FAILED: ["SEND"],
};

/**
 * @param {Slide} slide
 * @returns {boolean} whether the server takes edits of it
 */
export function isEditable(slide) {
  return slide.Status !== "DELETED" && slide.Removal?.State !== "REQUESTED";
}

/**
 * @param {Slide} slide
 * @returns {string[]} the statuses that a technician may give it now
 */
export function nextStatuses(slide) {
  if (!isEditable(slide)) return [];
  const next = NEXT[slide.Status ?? "NEW"] ?? [];
  return next.filter((status) => status !== "SEND" || notSendable(slide) === null);
}

/**
 * @param {Slide} slide
 * @returns {string | null} what keeps it from being sent though its status would allow it, in words
 */
export function notSendable(slide) {
  if (!isEditable(slide) || !NEXT[slide.Status ?? "NEW"]?.includes("SEND")) return null;
  if (slide.ImportStatus !== "IMPORTED") return "It can be sent once its import is complete.";
  const missing = ID_FIELDS.filter((field) => !slide[field]).map(fieldInSentence);
  if (missing.length) return `It can be sent once it has a ${missing.join(" and a ")}.`;
  return slide.IdSource === "NONE" ? "It can be sent once its slide ID is typed or confirmed." : null;
}

/**
 * @param {Slide} seen
 * @param {Typed} typed
 * @returns {Slide} as it is once what was typed is saved
 */
export function asTyped(seen, typed) {
  const ids = { SlideID: idOf(typed.SlideID), CaseID: idOf(typed.CaseID) };
  const identified = ids.SlideID !== null && ids.SlideID !== (seen.SlideID ?? null);
  return { ...seen, ...ids, IdSource: identified ? "TYPED" : seen.IdSource };
}

/**
 * @param {Slide} seen
 * @param {Typed} typed
 * @returns {boolean} whether there are IDs that nobody has read or typed, and that a person may say are right
 */
export function isConfirmable(seen, typed) {
  const complete = ID_FIELDS.every((field) => idOf(typed[field]) !== null);
  return isEditable(seen) && seen.IdSource === "NONE" && complete;
}

/**
 * @param {Edit} edit
 * @param {Slide} now
 * @returns {boolean} whether the record says already what the edit wants of it
 */
export function isDone(edit, now) {
  const same = Object.entries(edit).every(([field, value]) => (now[/** @type {keyof Edit} */ (field)] ?? null) === value);
  const identifies = Boolean(edit.SlideID && now.CaseID);
  return same && !(identifies && now.IdSource === "NONE");
}

/** What fields are called. */
export const FIELD_NAMES = { SlideID: "Slide ID", CaseID: "Case ID", Status: "Status" };

/** @param {"SlideID" | "CaseID"} field */
export function fieldInSentence(field) {
  return { SlideID: "slide ID", CaseID: "case ID" }[field];
}

/**
 * @param {Slide} slide
 * @returns {Operation[]} which operations of /RemoveImages make sense for it now
 */
export function removals(slide) {
  if (!isEditable(slide)) return [];
  const failed = slide.Removal ? /** @type {Operation} */ (slide.Removal.Operation) : null;
  // what failed half-way is repeated, or followed by its being deleted
  if (failed) return failed === "DELETE" ? ["DELETE"] : [failed, "DELETE"];
  if (slide.ImportStatus === "IMPORTING") return [];
  if (slide.Status === "TRANSFERRED") return ["RESTORE", "DELETE"];
  return slide.ImportStatus === "IMPORTED" ? ["TRANSFER", "DELETE"] : ["DELETE"];
}

/**
 * @param {Slide} slide
 * @returns {boolean} whether something is being done with it that its record will tell the end of
 */
export function isUnderWay(slide) {
  return slide.ImportStatus === "IMPORTING" || slide.Removal?.State === "REQUESTED" || slide.Status === "SEND";
}

/**
 * @param {string} text
 * @returns {string | null} as the server keeps it; null, which removes the ID, for nothing
 */
export function idOf(text) {
  return text.normalize("NFC").trim() || null;
}

/**
 * @param {Slide} seen
 * @param {Typed} typed
 * @param {string | null} [status] one that was chosen
 * @returns {Edit} what differs from the record that was seen
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
 * Carries what was typed over to a newer record: what one touched stays, all else becomes what is there now.
 * @param {Slide} seen
 * @param {Typed} typed
 * @param {Slide} now
 * @param {string | null} [status] one that was chosen and is not saved
 * @returns {{typed: Typed, differences: Difference[]}} and what somebody else has changed, as far as it is not the same
 */
export function rebase(seen, typed, now, status = null) {
  const mine = editOf(seen, typed, status);
  const carried = { ...typed };
  /** @type {Difference[]} */
  const differences = [];
  for (const field of ID_FIELDS) {
    const there = now[field] ?? null;
    const touched = mine[field] !== undefined;
    if (!touched || mine[field] === there) carried[field] = there ?? "";
    if (there !== (seen[field] ?? null) && mine[field] !== there) {
      differences.push(touched ? { field, now: there, mine: mine[field] } : { field, now: there });
    }
  }
  const statusNow = now.Status ?? null;
  if (statusNow !== (seen.Status ?? null) && statusNow !== status) {
    differences.push(status ? { field: "Status", now: statusNow, mine: status } : { field: "Status", now: statusNow });
  }
  return { typed: carried, differences };
}
