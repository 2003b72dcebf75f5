// The choice between cards and table, and of the table's columns.

import { button, element } from "../dom.js";
import { COLUMNS, chosenColumns } from "./columns.js";

/**
 * @typedef {import("./address.js").View} View
 * @typedef {import("./preferences.js").Preferences} Preferences
 */

export class ViewTools {
  #preferences;
  #onChange;
  /** @type {Record<View, HTMLButtonElement>} */
  #views;
  #columns;

  /**
   * @param {Preferences} preferences changed by the user's choice
   * @param {() => void} onChange
   */
  constructor(preferences, onChange) {
    this.#preferences = preferences;
    this.#onChange = onChange;
    this.#views = { cards: this.#viewButton("Cards", "cards"), table: this.#viewButton("Table", "table") };
    this.#columns = element(
      "details",
      { class: "columns" },
      element("summary", { class: "button" }, "Columns"),
      element("div", { class: "columns-menu" }, ...COLUMNS.map((column) => this.#columnBox(column))),
    );
    this.#columns.addEventListener("keydown", ({ key }) => key === "Escape" && this.#close());
    document.addEventListener("click", ({ target }) => {
      if (!this.#columns.contains(/** @type {Node} */ (target))) this.#columns.removeAttribute("open");
    });
    this.element = element(
      "div",
      { class: "view-tools" },
      this.#columns, // before the buttons, which keep their places when it appears
      element("div", { class: "segments", role: "group", "aria-label": "View" }, ...Object.values(this.#views)),
    );
    this.show();
  }

  /** Show what is chosen. */
  show() {
    const { view } = this.#preferences;
    for (const [name, choice] of Object.entries(this.#views)) {
      choice.setAttribute("aria-pressed", String(name === view));
    }
    this.#columns.hidden = view !== "table";
  }

  #close() {
    this.#columns.removeAttribute("open");
    this.#columns.querySelector("summary")?.focus();
  }

  /**
   * @param {string} text
   * @param {View} view
   */
  #viewButton(text, view) {
    return button(text, () => {
      if (this.#preferences.view === view) return;
      this.#preferences.view = view;
      this.show();
      this.#onChange();
    });
  }

  /** @param {import("./columns.js").Column} column */
  #columnBox({ name, label }) {
    const chosen = () => chosenColumns(this.#preferences.columns).map((column) => column.name);
    const box = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox" }));
    box.checked = chosen().includes(name);
    box.addEventListener("change", () => {
      const others = chosen().filter((other) => other !== name);
      this.#preferences.columns = box.checked ? [...others, name] : others;
      this.#onChange();
    });
    return element("label", {}, box, label);
  }
}
