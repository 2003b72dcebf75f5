// The list as cards.

import { element } from "../dom.js";

/** @returns {{element: HTMLElement, layout: import("./window.js").Layout}} */
export function createCards() {
  const list = element("ul", { id: "slide-list" });
  const layout = {
    body: list,
    measure: () => {
      // the style sheet decides how wide and how high cards are
      const { gridTemplateColumns, gridAutoRows, rowGap } = getComputedStyle(list);
      const columns = gridTemplateColumns.split(" ").length;
      return { columns, rowHeight: parseFloat(gridAutoRows) + parseFloat(rowGap), head: 0 };
    },
    setSpace: (/** @type {number} */ before, /** @type {number} */ after) => {
      list.style.paddingTop = `${before}px`;
      list.style.paddingBottom = `${after}px`;
    },
    start: () => null,
  };
  return { element: list, layout };
}
