// A double click is one click: what the first one has brought under the pointer does not get the second.

/** Clicks that are closer in time than this are one person's double click. */
export const DOUBLE_CLICK_MS = 500;
/** A hand moves this far between the two. */
const NEAR_PX = 24;

/**
 * Drops clicks that belong to a double click, but have another control under them than its first, or one that means
 * something else by now. Repeated clicks on one control pass, such as those that zoom. So does the keyboard, unless a
 * key is held down that was pressed on another control.
 * @param {Document} page
 */
export function takeDoubleClicksAsOne(page) {
  /** @type {{control: Element, meaning: string, at: number, x: number, y: number} | null} */
  let first = null;
  page.addEventListener(
    "click",
    (event) => {
      const control = event.detail > 0 ? controlOf(event.target) : null; // the keyboard's have no count
      if (!control) return;
      const at = performance.now();
      const { clientX: x, clientY: y } = event;
      const repeats =
        first !== null && at - first.at < DOUBLE_CLICK_MS && Math.hypot(x - first.x, y - first.y) <= NEAR_PX;
      if (first === null || !repeats) {
        first = { control, meaning: meaningOf(control), at, x, y };
        return;
      }
      first.at = at;
      if (control === first.control && meaningOf(control) === first.meaning) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    { capture: true },
  );

  /** @type {EventTarget | null} */
  let pressed = null;
  page.addEventListener(
    "keydown",
    (event) => {
      if (!event.repeat) pressed = event.target;
      else if (event.key === "Enter" && event.target !== pressed) event.preventDefault();
    },
    { capture: true },
  );
}

/**
 * @param {EventTarget | null} target
 * @returns {Element | null} what is clicked there; a label stands for its input
 */
function controlOf(target) {
  const control = target instanceof Element ? target.closest("button, a, summary, input, select, label") : null;
  return control instanceof HTMLLabelElement ? control.control : control;
}

/** @param {Element} control */
function meaningOf(control) {
  return [control.textContent, control.getAttribute("aria-label"), control.getAttribute("aria-expanded")].join("\n");
}
