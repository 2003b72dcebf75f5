// The bar that shows how many slides are selected, with buttons for the operations on them.

import { button, element } from "../dom.js";
import { OPERATIONS } from "../review/removal.js";
import { removals } from "../review/review.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../review/review.js").Operation} Operation
 */

/** The operation that cannot be undone comes last. @type {Operation[]} */
const ORDER = ["TRANSFER", "RESTORE", "DELETE"];

export class SelectionBar {
  #count = element("p", { role: "status" });
  #all;
  /** @type {Map<Operation, HTMLButtonElement>} */
  #buttons = new Map();

  /**
   * @param {object} actions
   * @param {(operation: Operation) => void} actions.remove
   * @param {() => void} actions.selectAll
   * @param {() => void} actions.clear
   */
  constructor({ remove, selectAll, clear }) {
    this.#all = button("Select all", selectAll);
    for (const operation of ORDER) {
      const choice = button(`${OPERATIONS[operation].verb}…`, () => remove(operation));
      choice.dataset.operation = operation;
      if (operation === "DELETE") choice.classList.add("danger");
      this.#buttons.set(operation, /** @type {HTMLButtonElement} */ (choice));
    }
    this.element = element(
      "div",
      { class: "selection-bar", role: "region", "aria-label": "Selected slides", hidden: true },
      this.#count,
      this.#all,
      button("Select none", clear),
      element("span", { class: "spacer" }),
      ...this.#buttons.values(),
    );
  }

  /**
   * @param {Slide[]} slides those of the selected ones whose records are known
   * @param {number} number of selected slides
   * @param {{ids: string[], complete: boolean}} found what the search has found
   */
  show(slides, number, { ids, complete }) {
    this.element.hidden = number === 0;
    this.#count.textContent = `${number} selected`;
    this.#all.textContent = complete ? `Select all ${ids.length}` : `Select the ${ids.length} loaded so far`;
    for (const [operation, choice] of this.#buttons) {
      choice.disabled = !slides.some((slide) => removals(slide).includes(operation));
    }
  }
}
