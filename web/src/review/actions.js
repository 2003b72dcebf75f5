// What technicians can do with slides: opens the review page and dialogs, and reports changed records to the pages.

import { openRemovalDialog } from "./removal-dialog.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Operation} Operation
 *
 * The slides that a technician goes through.
 * @typedef {object} Queue
 * @property {string[]} ids the ImageIDs that have been found so far
 * @property {(imageId: string, step: 1 | -1) => Promise<string | null>} neighbour returns the next or the previous
 *   slide's ImageID; null at the end
 */

export class ReviewActions {
  #api;
  #onUpdate;
  #onReview;

  /**
   * @param {import("../api/api.js").Api} api
   * @param {(slides: Slide[]) => void} onUpdate called with records that have changed
   * @param {(imageId: string, queue: Queue | null) => void} onReview called to open the review page
   */
  constructor(api, onUpdate, onReview) {
    this.#api = api;
    this.#onUpdate = onUpdate;
    this.#onReview = onReview;
  }

  /**
   * @param {Slide} slide
   * @param {Queue | null} [queue] null: as before, else the new slides
   */
  review({ ImageID }, queue = null) {
    this.#onReview(ImageID, queue);
  }

  /**
   * Ask for confirmation, then delete, archive or restore slides.
   * @param {Operation} operation
   * @param {Slide[]} slides
   * @returns {Promise<boolean>} whether the user confirmed; resolved when the dialog is closed
   */
  remove(operation, slides) {
    return openRemovalDialog(this.#api, operation, slides, this.#onUpdate);
  }
}
