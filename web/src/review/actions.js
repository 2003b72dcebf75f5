// What technicians can do with slides: opens the dialogs, and reports changed records to the pages.

import { openRemovalDialog } from "./removal-dialog.js";
import { ReviewDialog } from "./review-dialog.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Operation} Operation
 */

export class ReviewActions {
  #api;
  #onUpdate;
  /** @type {ReviewDialog | null} the dialog that was opened last */
  #reviewDialog = null;

  /**
   * @param {import("../api/api.js").Api} api
   * @param {(slides: Slide[]) => void} onUpdate called with records that have changed
   */
  constructor(api, onUpdate) {
    this.#api = api;
    this.#onUpdate = onUpdate;
  }

  /** @param {Slide} slide */
  review(slide) {
    const remove = (/** @type {Operation} */ operation, /** @type {Slide} */ one) => void this.remove(operation, [one]);
    this.#reviewDialog = new ReviewDialog(this.#api, slide, this.#onUpdate, remove);
  }

  /**
   * Ask for confirmation, then delete, archive or restore slides.
   * @param {Operation} operation
   * @param {Slide[]} slides
   * @returns {Promise<boolean>} whether the user confirmed; resolved when the dialog is closed
   */
  remove(operation, slides) {
    return openRemovalDialog(this.#api, operation, slides, (now) => {
      this.#onUpdate(now);
      const reviewed = now.find(({ ImageID }) => ImageID === this.#reviewDialog?.imageId);
      if (reviewed) this.#reviewDialog?.update(reviewed, false);
    });
  }
}
