// The bar from which technicians choose a listing: all slides, unsent, not identified, failed, by status, or a search.

import { button, element } from "../dom.js";
import { ALL, FAILURES, UNIDENTIFIED, UNSENT, byStatus, search } from "./listing.js";
import { STATUS_TEXTS } from "../record.js";

/**
 * @typedef {import("./listing.js").Listing} Listing
 * @typedef {import("./listing.js").SearchForm} SearchForm
 */

/** @type {[name: keyof SearchForm, label: string, type: string][]} */
const SEARCH_FIELDS = [
  ["slideId", "Slide ID begins with", "text"],
  ["caseId", "Case ID begins with", "text"],
  ["from", "Scanned from", "date"],
  ["to", "Scanned until", "date"],
  ["scanner", "Scanner", "text"],
];

export class ListingBar {
  #onListing;
  /** @type {HTMLElement[]} */
  #choices;
  #statuses;
  #form;
  #search;
  #hint = element("p", { class: "soft", role: "status" });

  /** @param {(listing: Listing) => void} onListing called with the listing that was chosen */
  constructor(onListing) {
    this.#onListing = onListing;
    const choice = (/** @type {string} */ text, /** @type {Listing} */ listing) => {
      const chip = button(text, () => this.#choose(chip, listing));
      return chip;
    };
    const [all, ...others] = [
      choice("All", ALL),
      choice("Unsent", UNSENT),
      choice("Not identified", UNIDENTIFIED),
      choice("Import failures", FAILURES),
    ];
    this.#statuses = /** @type {HTMLSelectElement} */ (
      element(
        "select",
        { class: "button", "aria-label": "By review status", change: () => this.#chooseStatus() },
        element("option", { value: "" }, "By status…"),
        ...Object.entries(STATUS_TEXTS).map(([value, text]) => element("option", { value }, text)),
      )
    );
    this.#search = button("Search…", () => this.#toggleSearch());
    this.#search.setAttribute("aria-controls", "search-form");
    this.#choices = [all, ...others, this.#search];
    this.#form = /** @type {HTMLFormElement} */ (
      element(
        "form",
        { id: "search-form", role: "search", submit: (/** @type {Event} */ event) => this.#submit(event) },
        ...SEARCH_FIELDS.map(([name, label, type]) =>
          element(
            "label",
            { class: "field" },
            label,
            element("input", { name, type, autocomplete: "off", autocapitalize: "off", spellcheck: "false" }),
          ),
        ),
        element("button", { type: "submit", class: "button primary" }, "Search"),
        this.#hint,
      )
    );
    const chips = [all, ...others, this.#statuses, this.#search];
    this.element = element(
      "div",
      { class: "listing-bar" },
      element("div", { class: "chips", role: "group", "aria-label": "Show" }, ...chips),
      this.#form,
    );
    this.#press(all);
  }

  /** Show all slides again, and clear the search form. */
  reset() {
    this.#form.reset();
    this.#press(this.#choices[0]);
  }

  /**
   * @param {HTMLElement} chip
   * @param {Listing} listing
   */
  #choose(chip, listing) {
    this.#press(chip);
    this.#onListing(listing);
  }

  #chooseStatus() {
    const { value } = this.#statuses;
    if (value === "") this.#choose(this.#choices[0], ALL);
    else this.#choose(this.#statuses, byStatus(value));
  }

  #toggleSearch() {
    this.#form.hidden = !this.#form.hidden;
    this.#search.setAttribute("aria-expanded", String(!this.#form.hidden));
    if (!this.#form.hidden) this.#form.querySelector("input")?.focus();
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const form = /** @type {SearchForm} */ (Object.fromEntries(new FormData(this.#form)));
    const listing = search(form);
    this.#hint.textContent = listing ? "" : "Fill in at least one field.";
    if (listing) this.#choose(this.#search, listing);
  }

  /** @param {HTMLElement} chosen */
  #press(chosen) {
    for (const chip of this.#choices) chip.setAttribute("aria-pressed", String(chip === chosen));
    if (chosen !== this.#statuses) this.#statuses.value = "";
    this.#statuses.toggleAttribute("data-chosen", chosen === this.#statuses);
    this.#form.hidden = chosen !== this.#search;
    this.#search.setAttribute("aria-expanded", String(!this.#form.hidden));
  }
}
