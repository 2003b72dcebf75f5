// The bar that says how many slides are selected, and what can be done with them at once.

import { button, element } from "../dom.js";
import { OPERATIONS } from "../review/removal.js";
import { removals } from "../review/review.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../review/review.js").Operation} Operation
 */

/** What can not be undone comes last, away from the rest. @type {Operation[]} */
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
      const act = button(`${OPERATIONS[operation].verb}…`, () => remove(operation));
      act.dataset.operation = operation;
      if (operation === "DELETE") act.classList.add("danger");
      this.#buttons.set(operation, /** @type {HTMLButtonElement} */ (act));
    }
    this.element = element(
      "div",
      { class: "selection-bar", role: "region", "aria-label": "Selected slides", hidden: true },
      this.#count,
      button("Select all shown", selectAll),
      button("Select none", clear),
      element("span", { class: "spread" }),
      ...this.#buttons.values(),
    );
  }

  /** @param {Slide[]} slides those that are selected */
  show(slides) {
    this.element.hidden = slides.length === 0;
    this.#count.textContent = `${slides.length} selected`;
    for (const [operation, act] of this.#buttons) {
      act.disabled = !slides.some((slide) => removals(slide).includes(operation));
    }
  }
}
