// The search box with its filters and the order: for everybody, answered by the server.

import { button, element } from "../dom.js";
import { STATUS_TEXTS } from "../record.js";
import { EVERYTHING, ORDERS, isFiltered } from "./criteria.js";

/**
 * @typedef {import("./criteria.js").Criteria} Criteria
 */

/** The search begins when the user has not typed for so long. */
const TYPING_PAUSE_MS = 300;

export class SearchBar {
  #onCriteria;
  #text;
  #status;
  #from;
  #to;
  #scanner;
  #order;
  #filters;
  #filterButton;
  #clear;
  /** @type {Record<"unidentified" | "failed", HTMLButtonElement>} */
  #only;
  /** @type {Criteria} what was reported last */
  #criteria = EVERYTHING;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;

  /**
   * @param {(criteria: Criteria, isTyping: boolean) => void} onCriteria called with other criteria; isTyping: the user may
   *   go on typing
   * @param {...HTMLElement} tools shown beside the search box
   */
  constructor(onCriteria, ...tools) {
    this.#onCriteria = onCriteria;
    const change = () => this.#report(false);
    this.#text = input("Search slides", {
      id: "slide-search",
      type: "search",
      placeholder: "Search slide ID, case ID or file",
    });
    this.#text.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#report(true), TYPING_PAUSE_MS);
    });
    this.#status = select("Status", [["", "Any status"], ...Object.entries(STATUS_TEXTS)], change);
    this.#from = input("Scanned from", { type: "date", change });
    this.#to = input("Scanned until", { type: "date", change });
    this.#scanner = input("Scanner", { type: "text", change, size: 10 });
    this.#order = select("Order", Object.entries(ORDERS), change);
    this.#only = {
      unidentified: this.#toggle("IDs not identified", "unidentified"),
      failed: this.#toggle("Import failed", "failed"),
    };
    this.#clear = button("Clear search", () => this.clear());
    this.#filterButton = button("Filters", () => this.#showFilters(this.#filters.hidden));
    this.#filterButton.setAttribute("aria-controls", "slide-filters");
    this.#filters = element(
      "div",
      { id: "slide-filters", class: "filters", role: "group", "aria-label": "Filters" },
      labelled("Status", this.#status),
      labelled("Scanned from", this.#from),
      labelled("until", this.#to),
      labelled("Scanner", this.#scanner),
      this.#only.unidentified,
      this.#only.failed,
      this.#clear,
    );
    const form = element(
      "form",
      { class: "search-line", role: "search", submit: (/** @type {Event} */ event) => this.#submit(event) },
      this.#text,
      this.#filterButton,
      element("span", { class: "spacer" }),
      labelled("Order", this.#order),
      ...tools,
    );
    this.element = element("div", { class: "search-bar" }, form, this.#filters);
    this.#showFilters(matchMedia("(min-width: 60rem)").matches);
    this.show(EVERYTHING);
  }

  /**
   * Show these criteria.
   * @param {Criteria} criteria
   */
  show(criteria) {
    clearTimeout(this.#typing);
    this.#criteria = criteria;
    if (this.#text.value.trim() !== criteria.text) this.#text.value = criteria.text; // the space after a word stays
    this.#status.value = criteria.status;
    this.#from.value = criteria.from;
    this.#to.value = criteria.to;
    this.#scanner.value = criteria.scanner;
    this.#order.value = criteria.order;
    for (const [name, toggle] of Object.entries(this.#only)) {
      toggle.setAttribute("aria-pressed", String(criteria.only === name));
    }
    const { status, from, to, scanner, only } = criteria;
    const number = [status, from, to, scanner, only].filter(Boolean).length;
    this.#filterButton.textContent = number ? `Filters (${number})` : "Filters";
    if (number) this.#showFilters(true);
    this.#clear.hidden = !isFiltered(criteria);
  }

  /** Show all slides, in the order that the user has chosen. */
  clear() {
    this.#text.value = "";
    this.#onCriteria({ ...EVERYTHING, order: this.#criteria.order }, false);
    this.#text.focus();
  }

  /** @param {boolean} shown */
  #showFilters(shown) {
    this.#filters.hidden = !shown;
    this.#filterButton.setAttribute("aria-expanded", String(shown));
  }

  /**
   * @param {string} text
   * @param {"unidentified" | "failed"} name
   */
  #toggle(text, name) {
    const toggle = button(text, () => {
      this.#criteria = { ...this.#criteria, only: this.#criteria.only === name ? "" : name };
      this.#report(false);
    });
    return toggle;
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    this.#report(false);
  }

  /** @param {boolean} isTyping */
  #report(isTyping) {
    clearTimeout(this.#typing);
    this.#onCriteria(
      {
        text: this.#text.value.trim(),
        status: this.#status.value,
        from: this.#from.value,
        to: this.#to.value,
        scanner: this.#scanner.value.trim(),
        only: this.#criteria.only,
        order: this.#order.value,
      },
      isTyping,
    );
  }
}

/**
 * @param {string} label
 * @param {Record<string, unknown>} attributes
 * @returns {HTMLInputElement}
 */
function input(label, attributes) {
  const texts = { "aria-label": label, autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
  return /** @type {HTMLInputElement} */ (element("input", { ...texts, ...attributes }));
}

/**
 * @param {string} label
 * @param {string[][]} options value and text of each
 * @param {() => void} change
 * @returns {HTMLSelectElement}
 */
function select(label, options, change) {
  const children = options.map(([value, text]) => element("option", { value }, text));
  return /** @type {HTMLSelectElement} */ (element("select", { "aria-label": label, change }, ...children));
}

/**
 * @param {string} text
 * @param {HTMLElement} control
 */
function labelled(text, control) {
  return element("label", { class: "labelled" }, element("span", { "aria-hidden": "true" }, text), control);
}
