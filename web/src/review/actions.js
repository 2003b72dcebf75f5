// What technicians do, from wherever they are: opens the dialogs, and tells the pages what came of it.

import { openRemovalDialog } from "./removal-dialog.js";
import { ReviewDialog } from "./review-dialog.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Operation} Operation
 */

export class ReviewDesk {
  #api;
  #tell;
  /** @type {ReviewDialog | null} the last one */
  #review = null;

  /**
   * @param {import("../api/api.js").Api} api
   * @param {(slides: Slide[]) => void} tell called with records that have changed
   */
  constructor(api, tell) {
    this.#api = api;
    this.#tell = tell;
  }

  /** @param {Slide} slide */
  review(slide) {
    const remove = (/** @type {Operation} */ operation, /** @type {Slide} */ one) => void this.remove(operation, [one]);
    this.#review = new ReviewDialog(this.#api, slide, this.#tell, remove);
  }

  /**
   * @param {Operation} operation
   * @param {Slide[]} slides
   * @returns {Promise<boolean>} whether it was confirmed, once the dialog is closed
   */
  remove(operation, slides) {
    return openRemovalDialog(this.#api, operation, slides, (now) => {
      this.#tell(now);
      const reviewed = now.find(({ ImageID }) => ImageID === this.#review?.imageId);
      if (reviewed) this.#review?.update(reviewed, false);
    });
  }
}
