// The texts of deleting, archiving and restoring.

import { sentence } from "../api/errors.js";
import { nameOf } from "../record.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Operation} Operation
 */

/** @type {Record<Operation, {verb: string, inProgress: string, noun: string, done: string, meaning: string}>} */
export const OPERATIONS = {
  DELETE: {
    verb: "Delete",
    inProgress: "Being deleted",
    noun: "Deletion",
    done: "Deleted.",
    meaning:
      "This deletes the file, its pyramid and its archived copy; the record stays. It cannot be undone: " +
      "a slide that is still needed must be scanned again.",
  },
  TRANSFER: {
    verb: "Archive",
    inProgress: "Being archived",
    noun: "Archiving",
    done: "Archived.",
    meaning:
      "This moves the file to the archive; the label, the thumbnail and the record stay. Usually the slide cannot be " +
      "viewed until it is restored.",
  },
  RESTORE: {
    verb: "Restore",
    inProgress: "Being restored",
    noun: "Restoring",
    done: "Restored.",
    meaning:
      "This copies the file back from the archive and imports it again; the IDs and the status are kept. It takes " +
      "hours if the archive is in a Glacier storage class.",
  },
};

/**
 * Name an operation on slides.
 * @param {Operation} operation
 * @param {Slide[]} slides
 * @returns {string} for example `Delete 3 slides`
 */
export function removalTitle(operation, slides) {
  const { verb } = OPERATIONS[operation];
  return slides.length === 1 ? `${verb} “${nameOf(slides[0])}”` : `${verb} ${slides.length} slides`;
}

/**
 * Describe an unfinished removal.
 * @param {Slide} slide
 * @returns {{state: "in-progress" | "failed", text: string} | null} null if there is none
 */
export function removalState(slide) {
  if (!slide.Removal) return null;
  const { Operation, State, Error } = slide.Removal;
  const texts = OPERATIONS[/** @type {Operation} */ (Operation)];
  if (State === "REQUESTED") return { state: "in-progress", text: `${texts?.inProgress ?? Operation}…` };
  const reason = sentence(Error || "no reason was recorded");
  return { state: "failed", text: `${texts?.noun ?? Operation} failed. ${reason}` };
}
