// What cards and rows of the table have in common: the link to the slide, the checkbox, and which of them has the focus.

import { element } from "../dom.js";
import { isViewable, nameOf } from "../record.js";
import { formatRoute } from "../route.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 *
 * What technicians can do with a row.
 * @typedef {object} RowActions
 * @property {(slide: Slide) => void} review
 * @property {(imageId: string, selected: boolean, extend: boolean) => void} select extend: the user held the Shift key
 *
 * A row with a slide, in the document as long as it is near the screen.
 * @typedef {object} SlideRow
 * @property {HTMLElement} element
 * @property {(slide: Slide) => boolean} update shows a newer record; returns whether the images must be loaded again
 * @property {(selected: boolean) => void} select shows whether it is selected
 */

/** @param {Slide} slide */
export function slideLink(slide) {
  const name = nameOf(slide);
  return isViewable(slide)
    ? element("a", { class: "slide-link", href: formatRoute(slide.ImageID) }, name)
    : element("span", { class: "slide-link", tabindex: 0 }, name);
}

/**
 * Create a slide's checkbox.
 * @param {Slide} slide
 * @param {RowActions} actions
 * @returns {HTMLInputElement}
 */
export function slideCheckbox({ ImageID }, { select }) {
  const checkbox = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox" }));
  checkbox.addEventListener("click", ({ shiftKey }) => select(ImageID, checkbox.checked, shiftKey));
  return checkbox;
}

/**
 * Make a row's controls reachable by the Tab key, or not: only one row's are, since the arrow keys lead to the others.
 * @param {HTMLElement} row
 * @param {boolean} isCurrent
 */
export function setCurrent(row, isCurrent) {
  for (const control of row.querySelectorAll("a, button, input, .slide-link")) {
    /** @type {HTMLElement} */ (control).tabIndex = isCurrent ? 0 : -1;
  }
}

/**
 * Move the focus to a row.
 * @param {HTMLElement} row
 */
export function focusRow(row) {
  /** @type {HTMLElement | null} */ (row.querySelector(".slide-link"))?.focus({ preventScroll: true });
}

/**
 * Replace those parts of a row that have changed: others keep the focus.
 * @param {HTMLElement} row
 * @param {HTMLElement[]} parts each has one class
 */
export function replaceParts(row, parts) {
  const isCurrent = row.querySelector("[tabindex='0']") !== null;
  for (const part of parts) {
    const old = row.querySelector(`.${part.classList[0]}`);
    if (!old) continue;
    setCurrent(part, isCurrent);
    if (old.isEqualNode(part)) continue;
    const hadFocus = old.contains(document.activeElement);
    old.replaceWith(part);
    if (hadFocus) /** @type {HTMLElement | null} */ (part.querySelector("a, button, [tabindex]"))?.focus();
  }
}
