// What a search has come to, in words: how many slides, none, or an error.

import { button, element, message } from "../dom.js";
import { describe } from "../api/errors.js";
import { slidesText } from "./counts.js";
import { describeCriteria, isFiltered } from "./criteria.js";

const number = new Intl.NumberFormat("en");

export class Result {
  #count;
  #notice;
  /** @type {import("./counts.js").SlideCount | null} what the server has counted */
  #total = null;

  /**
   * @param {HTMLElement} count
   * @param {HTMLElement} notice
   */
  constructor(count, notice) {
    this.#count = count;
    this.#notice = notice;
  }

  /** @returns {boolean} whether a message is shown */
  get isMessage() {
    return this.#notice.childElementCount > 0;
  }

  /** Forget the last search. */
  clear() {
    this.#total = null;
    this.#count.textContent = "";
    this.clearMessage();
  }

  clearMessage() {
    this.#notice.replaceChildren();
  }

  /** @param {number} lookedAt how many slides have been looked at in vain */
  showProgress(lookedAt) {
    this.#count.textContent = `Searching: ${number.format(lookedAt)} slides so far`;
  }

  /**
   * @param {unknown} error
   * @param {() => void} again
   */
  showError(error, again) {
    this.#notice.replaceChildren(message(describe(error), button("Try again", again)));
  }

  /**
   * Show what has been found so far.
   * @param {import("./records.js").SlideRecords} records
   * @param {import("./criteria.js").Criteria} criteria
   * @param {() => void} clearSearch
   */
  show({ ids, complete }, criteria, clearSearch) {
    if (ids.length === 0 && isFiltered(criteria)) {
      this.#count.textContent = "No slides found";
      const text = `All slides were searched for ${describeCriteria(criteria)}.`;
      this.#notice.replaceChildren(
        element("div", { class: "nothing-found" }, element("p", {}, text), button("Clear search", clearSearch)),
      );
    } else if (ids.length === 0) this.#count.textContent = "No slides yet.";
    else if (complete) this.#count.textContent = slidesText({ Count: ids.length, Exact: true });
    else this.#count.textContent = this.#total ? slidesText(this.#total) : `${number.format(ids.length)} slides so far`;
  }

  /** @param {import("./counts.js").SlideCount} total what the server has counted */
  showTotal(total) {
    this.#total = total;
    this.#count.textContent = slidesText(total);
  }
}
