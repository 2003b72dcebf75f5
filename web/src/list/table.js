// The list as a table: a row for each slide, with the columns that the user has chosen.

import { button, element } from "../dom.js";
import { nameOf } from "../record.js";
import { SLIDE_COLUMN } from "./columns.js";
import { replaceParts, slideCheckbox, slideLink } from "./rows.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./columns.js").Column} Column
 * @typedef {import("./rows.js").RowActions} RowActions
 * @typedef {import("./window.js").Layout} Layout
 */

export class TableRow {
  /** @type {HTMLElement} */
  element;
  #columns;
  /** @type {HTMLInputElement | null} */
  #checkbox;
  #slide;

  /**
   * @param {Slide} slide
   * @param {RowActions | null} actions null for users who only view
   * @param {Column[]} columns
   */
  constructor(slide, actions, columns) {
    this.#slide = slide;
    this.#columns = columns;
    this.#checkbox = actions && slideCheckbox(slide, actions);
    this.element = element(
      "tr",
      { class: "slide-row", "data-image-id": slide.ImageID },
      this.#checkbox && element("td", { class: "cell-select" }, element("label", {}, this.#checkbox)),
      ...cells(slide, columns),
      actions &&
        element(
          "td",
          { class: "cell-actions" },
          button("Review", () => actions.review(this.#slide)),
        ),
    );
    this.#labelControls();
  }

  /** @param {boolean} selected */
  select(selected) {
    if (this.#checkbox) this.#checkbox.checked = selected;
  }

  /**
   * Show the current record.
   * @param {Slide} slide
   * @returns {boolean} false: it has no images
   */
  update(slide) {
    this.#slide = slide;
    replaceParts(this.element, cells(slide, this.#columns));
    this.#labelControls();
    return false;
  }

  #labelControls() {
    const name = nameOf(this.#slide);
    this.element.querySelector(".cell-actions button")?.setAttribute("aria-label", `Review ${name}`);
    this.#checkbox?.setAttribute("aria-label", `Select ${name}`);
  }
}

/**
 * Create the table without rows.
 * @param {object} options
 * @param {Column[]} options.columns
 * @param {boolean} options.forTechnicians
 * @param {string} options.order the search's
 * @param {(order: string) => void} options.onOrder called with the order that the user has chosen
 * @returns {{element: HTMLElement, layout: Layout}}
 */
export function createTable({ columns, forTechnicians, order, onOrder }) {
  const heads = [
    forTechnicians && element("td", { class: "cell-select" }),
    head({ name: "slide", ...SLIDE_COLUMN }, order, onOrder),
    ...columns.map((column) => head(column, order, onOrder)),
    forTechnicians && element("td", { class: "cell-actions" }),
  ];
  const headRow = element("tr", {}, ...heads.filter((cell) => cell instanceof Node));
  const span = headRow.childElementCount;
  const spaces = [space(span), space(span)];
  const body = element("tbody", {}, ...spaces);
  const table = element("table", { id: "slide-table", class: "slide-table" }, element("thead", {}, headRow), body);
  return {
    element: element("div", { class: "slide-table-frame" }, table),
    layout: {
      body,
      measure: () => {
        const { height } = headRow.getBoundingClientRect();
        return { columns: 1, rowHeight: height, head: height };
      },
      setSpace: (...heights) => {
        heights.forEach((height, index) => {
          spaces[index].hidden = height === 0;
          /** @type {HTMLElement} */ (spaces[index].firstElementChild).style.height = `${height}px`;
        });
      },
      start: () => spaces[1],
    },
  };
}

/** @param {number} span */
function space(span) {
  return element("tr", { class: "space", "aria-hidden": "true" }, element("td", { colspan: span }));
}

/**
 * @param {Pick<Column, "name" | "label" | "orders">} column
 * @param {string} order
 * @param {(order: string) => void} onOrder
 */
function head({ name, label, orders }, order, onOrder) {
  const attributes = { scope: "col", class: `cell-${name}` };
  if (!orders) return element("th", attributes, label);
  const current = orders.findIndex((each) => each.order === order);
  const next = orders[(current + 1) % orders.length].order;
  return element(
    "th",
    { ...attributes, "aria-sort": orders[current]?.direction ?? null },
    button(label, () => onOrder(next)),
  );
}

/**
 * @param {Slide} slide
 * @param {Column[]} columns
 * @returns {HTMLElement[]}
 */
function cells(slide, columns) {
  return [
    element("th", { class: "cell-slide", scope: "row", title: nameOf(slide) }, slideLink(slide)),
    ...columns.map(({ name, text }) => {
      const shown = text(slide) ?? "";
      return element("td", { class: `cell-${name} ${stateClass(name, slide)}`.trim(), title: shown || null }, shown);
    }),
  ];
}

/**
 * @param {string} column
 * @param {Slide} slide
 */
function stateClass(column, slide) {
  if (column === "status") return `status-${slide.Status}`;
  return column === "import" && slide.ImportStatus === "FAILED" ? "failure" : "";
}
