// How many slides there are: what the search has found, and what there is to do today.

import { element } from "../dom.js";
import { EVERYTHING, searchOf, today } from "./criteria.js";

/**
 * @typedef {import("./criteria.js").Criteria} Criteria
 * @typedef {{Count: number, Exact: boolean}} SlideCount
 */

const number = new Intl.NumberFormat("en");

/**
 * Return a count for users.
 * @param {SlideCount} count
 * @returns {string} for example `37`, or `more than 1,000`
 */
export function countText({ Count, Exact }) {
  return Exact ? number.format(Count) : `more than ${number.format(Count)}`;
}

/**
 * Say how many slides there are.
 * @param {SlideCount} count
 * @returns {string}
 */
export function slidesText(count) {
  return `${countText(count)} ${count.Exact && count.Count === 1 ? "slide" : "slides"}`;
}

export class Counts {
  #api;
  #forTechnicians;
  #onCriteria;
  #asked = new AbortController();
  element = element("p", { class: "counts" });

  /**
   * @param {import("../api/api.js").Api} api
   * @param {boolean} forTechnicians
   * @param {(criteria: Criteria) => void} onCriteria called when the user chooses the slides that were counted
   */
  constructor(api, forTechnicians, onCriteria) {
    this.#api = api;
    this.#forTechnicians = forTechnicians;
    this.#onCriteria = onCriteria;
  }

  /** Ask how much there is to do. If the server does not answer, the list does without. */
  async load() {
    this.#asked.abort();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    const day = today();
    /** @type {[Criteria, string][]} */
    const questions = [[{ ...EVERYTHING, status: "NEW", from: day, to: day }, "new today"]];
    if (this.#forTechnicians) questions.push([{ ...EVERYTHING, only: "unidentified" }, "to identify"]);
    const answers = await Promise.allSettled(
      questions.map(([criteria]) => this.#api.countSlides(searchOf(criteria), signal)),
    );
    if (signal.aborted) return;
    const parts = answers.flatMap((answer, index) =>
      answer.status === "fulfilled" ? [this.#part(answer.value, ...questions[index])] : [],
    );
    this.element.replaceChildren(...parts.flatMap((part, index) => (index ? [", ", part] : [part])));
  }

  /**
   * Count what a search finds. If the server does not answer, the list does without.
   * @param {Criteria} criteria
   * @param {import("./records.js").SlideRecords} records
   * @param {(total: SlideCount) => void} onTotal
   */
  async countFound(criteria, records, onTotal) {
    try {
      const total = await this.#api.countSlides(searchOf(criteria), records.signal);
      if (!records.complete) onTotal(total);
    } catch {
      // the list says how many have been found so far
    }
  }

  /** Forget what was counted. */
  clear() {
    this.#asked.abort();
    this.element.replaceChildren();
  }

  /**
   * @param {SlideCount} count
   * @param {Criteria} criteria
   * @param {string} text
   */
  #part(count, criteria, text) {
    const click = () => this.#onCriteria(criteria);
    if (count.Exact && count.Count === 0) return element("span", {}, `none ${text}`);
    return element("button", { type: "button", class: "link", click }, `${countText(count)} ${text}`);
  }
}
