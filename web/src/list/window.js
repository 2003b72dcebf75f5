// Windowing: of a long list only the rows near the screen are in the document.
// A row of the table holds one slide, a row of cards as many as fit side by side. All rows are equally high.

/**
 * @typedef {{first: number, end: number, before: number, after: number}} Range items `first` to `end` (excluded), and the
 *   heights of the rows before and after them, in CSS pixels
 *
 * What shows an item.
 * @typedef {object} Row
 * @property {HTMLElement} element
 * @property {() => void} [remove] called after the element was removed
 *
 * Where rows are shown.
 * @typedef {object} Layout
 * @property {HTMLElement} body the parent of the rows
 * @property {() => {columns: number, rowHeight: number, head: number}} measure head: the height of what covers the top
 *   of the rows while the page is scrolled, besides the page's own bar
 * @property {(before: number, after: number) => void} setSpace sets the height of what is before and after the rows
 * @property {() => (ChildNode | null)} start the node before which the first row is inserted, if there is no row
 */

/** Rows on each side of the screen that are in the document as well. */
const OVERSCAN = 2;
/** Images and records of rows that only pass by are not requested. */
const SETTLED_AFTER_MS = 120;

/**
 * Return the items near the screen.
 * @param {object} list
 * @param {number} list.count of all items
 * @param {number} list.columns
 * @param {number} list.rowHeight including the gap to the next row
 * @param {number} list.top how far the list has been scrolled beyond its start
 * @param {number} list.height of the screen
 * @returns {Range}
 */
export function rangeOf({ count, columns, rowHeight, top, height }) {
  const rows = Math.ceil(count / columns);
  const clamp = (/** @type {number} */ row) => Math.min(Math.max(row, 0), rows);
  const first = clamp(Math.floor(top / rowHeight) - OVERSCAN);
  const end = clamp(Math.ceil((top + height) / rowHeight) + OVERSCAN);
  return {
    first: first * columns,
    end: Math.min(end * columns, count),
    before: first * rowHeight,
    after: (rows - end) * rowHeight,
  };
}

/**
 * Shows the items near the screen, while the page is scrolled. Emits `range` when other items are shown, and `settled`
 * when the user has stopped scrolling.
 */
export class WindowedList extends EventTarget {
  #layout;
  #create;
  /** @type {string[]} */
  #ids = [];
  /** @type {Map<string, Row>} the rows in the document, by ID */
  #rows = new Map();
  /** @type {Range} */
  #range = { first: 0, end: 0, before: 0, after: 0 };
  #columns = 1;
  #rowHeight = 1;
  #head = 0;
  #frame = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;
  #stopped = new AbortController();

  /**
   * @param {Layout} layout
   * @param {(id: string, index: number) => Row} create
   */
  constructor(layout, create) {
    super();
    this.#layout = layout;
    this.#create = create;
    const { signal } = this.#stopped;
    window.addEventListener("scroll", () => this.#schedule(), { signal, passive: true });
    window.addEventListener("resize", () => this.measure(), { signal });
  }

  /** @returns {Range} */
  get range() {
    return this.#range;
  }

  /** @returns {number} items side by side */
  get columns() {
    return this.#columns;
  }

  /** @returns {IterableIterator<[string, Row]>} */
  get rows() {
    return this.#rows.entries();
  }

  /**
   * @param {string} id
   * @returns {Row | undefined} undefined if it is not near the screen
   */
  row(id) {
    return this.#rows.get(id);
  }

  /**
   * Show these items. Rows of items that were there before stay.
   * @param {string[]} ids
   */
  show(ids) {
    this.#ids = ids;
    if (this.#rows.size === 0) this.measure();
    else this.#render();
    this.#settle();
  }

  /** Measure rows and columns again, after the size of the page has changed. */
  measure() {
    if (!this.#layout.body.isConnected || this.#layout.body.clientWidth === 0) return;
    const top = this.topIndex();
    const { columns, rowHeight, head } = this.#layout.measure();
    const moved = this.#range.end > 0 && (columns !== this.#columns || rowHeight !== this.#rowHeight);
    [this.#columns, this.#rowHeight, this.#head] = [columns, rowHeight, head];
    this.#render();
    if (moved) this.scrollTo(top);
    this.#settle();
  }

  /** @returns {number} the index of the first item that is wholly on the screen */
  topIndex() {
    return Math.max(0, Math.ceil((this.#scrolled() - 1) / this.#rowHeight)) * this.#columns;
  }

  /** @returns {number} how many items fit on the screen */
  pageSize() {
    return Math.max(1, Math.floor((innerHeight - this.#covered()) / this.#rowHeight)) * this.#columns;
  }

  /**
   * Bring an item to the top of the screen.
   * @param {number} index
   */
  scrollTo(index) {
    scrollBy(0, this.#offsetOf(index) - this.#scrolled());
    this.#render();
  }

  /**
   * Scroll as little as necessary for an item to be wholly on the screen.
   * @param {number} index
   */
  reveal(index) {
    const offset = this.#offsetOf(index) - this.#scrolled();
    const room = innerHeight - this.#covered() - this.#rowHeight;
    if (offset < 0) scrollBy(0, offset);
    else if (offset > room) scrollBy(0, offset - room);
    this.#render();
  }

  /** Remove all rows, and stop. */
  close() {
    this.#stopped.abort();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settling);
    this.#ids = [];
    this.#render();
  }

  /** @param {number} index */
  #offsetOf(index) {
    return Math.floor(index / this.#columns) * this.#rowHeight;
  }

  /** @returns {number} how far the list has been scrolled beyond its start; negative before that */
  #scrolled() {
    const { top } = this.#layout.body.getBoundingClientRect();
    return this.#covered() - top;
  }

  /** @returns {number} the height of what covers the top of the screen */
  #covered() {
    return (document.querySelector(".bar")?.getBoundingClientRect().bottom ?? 0) + this.#head;
  }

  #schedule() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
      this.#settle();
    });
  }

  #settle() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.dispatchEvent(new Event("settled")), SETTLED_AFTER_MS);
  }

  #render() {
    if (this.#ids.length > 0 && this.#layout.body.clientWidth === 0) return; // another page is shown
    const range = rangeOf({
      count: this.#ids.length,
      columns: this.#columns,
      rowHeight: this.#rowHeight,
      top: this.#scrolled(),
      height: innerHeight - this.#covered(),
    });
    const ids = this.#ids.slice(range.first, range.end);
    const wanted = new Set(ids);
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      this.#rows.delete(id);
      row.element.remove();
      row.remove?.();
    }
    this.#layout.setSpace(range.before, range.after);
    /** @type {ChildNode | null} */
    let next = this.#rows.values().next().value?.element ?? this.#layout.start();
    const rows = new Map();
    ids.forEach((id, offset) => {
      const row = this.#rows.get(id) ?? this.#create(id, range.first + offset);
      rows.set(id, row);
      if (row.element === next) next = next.nextSibling;
      else this.#layout.body.insertBefore(row.element, next);
    });
    this.#rows = rows;
    const changed = range.first !== this.#range.first || range.end !== this.#range.end;
    this.#range = range;
    if (changed) this.dispatchEvent(new Event("range"));
  }
}
