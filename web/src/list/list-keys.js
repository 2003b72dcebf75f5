// Keys that lead from slide to slide.

/**
 * @typedef {import("./window.js").WindowedList} WindowedList
 */

/**
 * Return the index that a key leads to.
 * @param {string} key
 * @param {number} index of the slide that has the focus
 * @param {{count: number, columns: number, pageSize: number}} list
 * @returns {number | null} null for other keys
 */
export function indexAfter(key, index, { count, columns, pageSize }) {
  const last = count - 1;
  const within = (/** @type {number} */ target) => (target < 0 || target > last ? index : target);
  switch (key) {
    case "ArrowDown":
      return within(index + columns);
    case "ArrowUp":
      return within(index - columns);
    case "ArrowRight":
      return columns > 1 ? within(index + 1) : null;
    case "ArrowLeft":
      return columns > 1 ? within(index - 1) : null;
    case "PageDown":
      return Math.min(index + pageSize, last);
    case "PageUp":
      return Math.max(index - pageSize, 0);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return null;
  }
}
