// What technicians do with many slides at once: the slides that are selected, and the bar with the operations.

import { Queue } from "./queue.js";
import { SelectionBar } from "./selection-bar.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../review/review.js").Operation} Operation
 */

export class Bulk {
  #bar;
  #selection;
  #records;
  #actions;
  #onDone;

  /**
   * @param {import("./selection.js").Selection} selection
   * @param {() => import("./records.js").SlideRecords} records
   * @param {import("../review/actions.js").ReviewActions} actions
   * @param {() => void} onDone called when an operation has begun, and the selection is empty
   */
  constructor(selection, records, actions, onDone) {
    this.#selection = selection;
    this.#records = records;
    this.#actions = actions;
    this.#onDone = onDone;
    this.#bar = new SelectionBar({
      remove: (operation) => void this.#remove(operation),
      selectAll: () => selection.replace(records().ids),
      clear: () => selection.replace([]),
    });
    selection.addEventListener("change", () => this.show());
  }

  /** @returns {HTMLElement} */
  get element() {
    return this.#bar.element;
  }

  /** @returns {import("./rows.js").RowActions} */
  get rowActions() {
    return {
      review: (slide) => this.#actions.review(slide, new Queue(this.#records())),
      select: (id, selected, extend) => {
        if (extend) this.#selection.extend(id, this.#records().ids);
        else this.#selection.set(id, selected);
      },
    };
  }

  /** Show what is selected. */
  show() {
    const records = this.#records();
    const slides = this.#selection.ids.flatMap((id) => records.get(id) ?? []);
    this.#bar.show(slides, this.#selection.size, records);
  }

  /** @param {Operation} operation */
  async #remove(operation) {
    const confirmed = await this.#actions.remove(operation, await this.#slides());
    if (!confirmed) return;
    this.#selection.replace([]);
    this.#onDone();
  }

  /** @returns {Promise<Slide[]>} the records of the selected slides */
  async #slides() {
    const records = this.#records();
    await records.fetch(this.#selection.ids);
    return this.#selection.ids.flatMap((id) => records.get(id) ?? []);
  }
}
