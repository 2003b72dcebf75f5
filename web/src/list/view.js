// The rows of the list, as cards or as a table: which of them are in the document, have the focus, and are selected.

import { SlideCard } from "./card.js";
import { createCards } from "./cards.js";
import { RowImages } from "./images.js";
import { indexAfter } from "./list-keys.js";
import { focusRow, setCurrent } from "./rows.js";
import { TableRow, createTable } from "./table.js";
import { WindowedList } from "./window.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./columns.js").Column} Column
 * @typedef {import("./records.js").SlideRecords} SlideRecords
 * @typedef {import("./rows.js").RowActions} RowActions
 * @typedef {import("./rows.js").SlideRow} SlideRow
 *
 * @typedef {object} ListViewOptions
 * @property {RowActions | null} actions null for users who only view
 * @property {import("./selection.js").Selection} selection
 * @property {Column[] | null} columns null for cards
 * @property {string} order the search's
 * @property {(order: string) => void} onOrder
 */

/** Emits `range` and `settled` as the windowed list does, and `end` when the user wants to see the end of the list. */
export class ListView extends EventTarget {
  #records;
  #options;
  #images;
  #list;
  /** @type {string | null} the slide that has the focus, or gets it next */
  #current = null;
  element;

  /**
   * @param {import("../api/api.js").Api} api
   * @param {SlideRecords} records
   * @param {ListViewOptions} options
   */
  constructor(api, records, options) {
    super();
    this.#records = records;
    this.#options = options;
    this.#images = new RowImages(api);
    const { columns, actions } = options;
    const { element, layout } = columns
      ? createTable({ ...options, columns, forTechnicians: actions !== null })
      : createCards();
    this.element = element;
    element.tabIndex = -1; // it takes the focus of a row that leaves the document
    element.addEventListener("keydown", (event) => this.#pressed(event));
    element.addEventListener("focusin", (event) => this.#focused(event));
    this.#list = new WindowedList(layout, (id) => this.#create(id));
    this.#list.addEventListener("range", () => this.#moved());
    this.#list.addEventListener("settled", () => void this.#settled());
  }

  /** @returns {{first: number, end: number}} the indexes of the rows in the document */
  get range() {
    return this.#list.range;
  }

  /** @returns {string | null} ImageID of the slide at the top of the screen; null at the beginning of the list */
  get top() {
    const index = this.#list.topIndex();
    return index > 0 ? (this.#records.ids[index] ?? null) : null;
  }

  /** @returns {string | null} class of the table's column whose head has the focus */
  get focusedHead() {
    const head = document.activeElement?.closest("thead th");
    return head && this.element.contains(head) ? head.className : null;
  }

  /** @param {string} column */
  focusHead(column) {
    /** @type {HTMLElement | null} */ (this.element.querySelector(`.${column} button`))?.focus({ preventScroll: true });
  }

  /** Show all slides that have been found. */
  show() {
    this.#list.show(this.#records.ids);
    this.#current ??= this.#records.ids[0] ?? null;
    this.#markCurrent();
  }

  /** The page is shown again, or its width has changed. */
  measure() {
    this.#list.measure();
  }

  /**
   * Show newer records, where they are.
   * @param {Slide[]} slides
   */
  update(slides) {
    for (const slide of slides) {
      const row = /** @type {SlideRow | undefined} */ (this.#list.row(slide.ImageID));
      if (row?.update(slide)) this.#images.load(row.element);
    }
  }

  /** Show which slides are selected. */
  showSelection() {
    for (const [id, row] of this.#list.rows) /** @type {SlideRow} */ (row).select(this.#options.selection.has(id));
  }

  /**
   * Bring a slide to the top of the screen.
   * @param {string} imageId
   */
  scrollTo(imageId) {
    const index = this.#records.ids.indexOf(imageId);
    if (index < 0) return;
    this.#list.scrollTo(index);
    this.#current = imageId;
    this.#markCurrent();
  }

  /**
   * Move the focus to a slide.
   * @param {string} imageId
   */
  focus(imageId) {
    const index = this.#records.ids.indexOf(imageId);
    if (index < 0) return;
    this.#list.reveal(index);
    this.#setFocus(imageId);
  }

  /**
   * Move the focus to a slide, where it is; scroll only if it is far from the screen.
   * @param {string} imageId
   */
  returnTo(imageId) {
    if (this.#list.row(imageId)) this.#setFocus(imageId);
    else this.focus(imageId);
  }

  /** @param {string} imageId of a row in the document */
  #setFocus(imageId) {
    this.#current = imageId;
    this.#markCurrent();
    const row = this.#list.row(imageId);
    if (row) focusRow(row.element);
  }

  /** Remove all rows. */
  close() {
    this.#list.close();
    this.element.remove();
  }

  /**
   * @param {string} id
   * @returns {SlideRow & {remove: () => void}}
   */
  #create(id) {
    const { actions, columns, selection } = this.#options;
    const slide = this.#records.get(id) ?? { ImageID: id };
    const row = columns ? new TableRow(slide, actions, columns) : new SlideCard(slide, actions);
    row.element.toggleAttribute("data-loading", !this.#records.get(id));
    row.select(selection.has(id));
    setCurrent(row.element, id === this.#current);
    const focusAgain = id === this.#current && document.activeElement === this.element;
    if (focusAgain) queueMicrotask(() => focusRow(row.element));
    return Object.assign(row, { remove: () => this.#images.drop(row.element) });
  }

  #moved() {
    const isLost = document.activeElement === document.body && this.#hadFocus;
    if (isLost && this.#current !== null && !this.#list.row(this.#current)) this.element.focus({ preventScroll: true });
    this.dispatchEvent(new Event("range"));
  }

  /** Load what the rows on the screen lack, once the user has stopped scrolling. */
  async #settled() {
    this.dispatchEvent(new Event("settled"));
    this.#images.show([...this.#list.rows].map(([, { element }]) => element));
    const { first, end } = this.#list.range;
    this.#records.trim(first, end, (id) => this.#options.selection.has(id));
    try {
      const fetched = await this.#records.fetch(this.#records.ids.slice(first, end));
      this.update(fetched);
      for (const { ImageID } of fetched) this.#list.row(ImageID)?.element.removeAttribute("data-loading");
    } catch {
      // they are requested again when the user scrolls
    }
  }

  #hadFocus = false;

  /** @param {FocusEvent} event */
  #focused({ target }) {
    const row = /** @type {HTMLElement} */ (target).closest("[data-image-id]");
    const id = /** @type {HTMLElement | null} */ (row)?.dataset.imageId;
    this.#hadFocus = true;
    if (!id || id === this.#current) return;
    this.#current = id;
    this.#markCurrent();
  }

  #markCurrent() {
    for (const [id, { element }] of this.#list.rows) setCurrent(element, id === this.#current);
    const first = [...this.#list.rows][0];
    // without the current row, the Tab key leads to the first one in the document
    if (first && (this.#current === null || !this.#list.row(this.#current))) setCurrent(first[1].element, true);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#current === null) return;
    const { ids } = this.#records;
    const list = { count: ids.length, columns: this.#list.columns, pageSize: this.#list.pageSize() };
    const index = indexAfter(event.key, ids.indexOf(this.#current), list);
    if (index === null) return;
    event.preventDefault();
    const { actions } = this.#options;
    if (event.shiftKey && actions) {
      if (!this.#options.selection.has(this.#current)) actions.select(this.#current, true, false);
      actions.select(ids[index], true, true);
    }
    this.focus(ids[index]);
    if (event.key === "End") this.dispatchEvent(new Event("end"));
  }
}
