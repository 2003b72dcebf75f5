// Deleting, archiving and bringing back: what that means, in words.

import { sentence } from "../api/errors.js";
import { nameOf } from "../record.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Operation} Operation
 */

/** @type {Record<Operation, {verb: string, doing: string, noun: string, done: string, meaning: string}>} */
export const OPERATIONS = {
  DELETE: {
    verb: "Delete",
    doing: "Being deleted",
    noun: "Deletion",
    done: "Deleted.",
    meaning:
      "The file, its pyramid and its archived copy go; the record stays. This cannot be undone: " +
      "a slide that is still needed has to be scanned again.",
  },
  TRANSFER: {
    verb: "Archive",
    doing: "Being archived",
    noun: "Archiving",
    done: "Archived.",
    meaning:
      "The file goes to the archive; label, thumbnail and record stay. As a rule the slide cannot be looked at " +
      "until it is brought back.",
  },
  RESTORE: {
    verb: "Bring back",
    doing: "Being brought back",
    noun: "Bringing back",
    done: "Back again.",
    meaning:
      "The file comes back from the archive and is imported again; IDs and status are kept. Out of deep storage " +
      "that takes hours.",
  },
};

/**
 * @param {Operation} operation
 * @param {Slide[]} slides
 * @returns {string} such as `Delete 3 slides`
 */
export function removalTitle(operation, slides) {
  const { verb } = OPERATIONS[operation];
  return slides.length === 1 ? `${verb} “${nameOf(slides[0])}”` : `${verb} ${slides.length} slides`;
}

/**
 * @param {Slide} slide
 * @returns {{state: "doing" | "failed", text: string} | null} what is not done yet, null where there is no such thing
 */
export function removalState(slide) {
  if (!slide.Removal) return null;
  const { Operation, State, Error } = slide.Removal;
  const words = OPERATIONS[/** @type {Operation} */ (Operation)];
  if (State === "REQUESTED") return { state: "doing", text: `${words?.doing ?? Operation}…` };
  const reason = sentence(Error || "no reason was recorded");
  return { state: "failed", text: `${words?.noun ?? Operation} failed. ${reason}` };
}
