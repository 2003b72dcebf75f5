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
  /** @type {Map<Operation, HTMLButtonElement>} */
  #buttons = new Map();

  /**
   * @param {object} actions
   * @param {(operation: Operation) => void} actions.remove
   * @param {() => void} actions.selectAll
   * @param {() => void} actions.clear
   */
  constructor({ remove, selectAll, clear }) {
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
      button("Select all shown", selectAll),
      button("Select none", clear),
      element("span", { class: "spacer" }),
      ...this.#buttons.values(),
    );
  }

  /** @param {Slide[]} slides the selected ones */
  show(slides) {
    this.element.hidden = slides.length === 0;
    this.#count.textContent = `${slides.length} selected`;
    for (const [operation, choice] of this.#buttons) {
      choice.disabled = !slides.some((slide) => removals(slide).includes(operation));
    }
  }
}
