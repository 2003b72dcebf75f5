// A double click counts as one click: a control that the first click put under the pointer does not get the second.

/** Two clicks within this time are a double click. */
export const DOUBLE_CLICK_MS = 500;
/** The pointer moves up to this far between the two clicks. */
const MAX_DISTANCE_PX = 24;

/**
 * Ignore the second click of a double click if it hits another control than the first, or if that control has changed.
 * Repeated clicks on an unchanged control are not ignored (zooming, for example). The Enter key is ignored only while it
 * is held down and was pressed on another control.
 * @param {Document} page
 */
export function mergeDoubleClicks(page) {
  /** @type {{control: Element, state: string, at: number, x: number, y: number} | null} */
  let first = null;
  page.addEventListener(
    "click",
    (event) => {
      const control = event.detail > 0 ? controlOf(event.target) : null; // 0 for clicks by keyboard
      if (!control) return;
      const at = performance.now();
      const { clientX: x, clientY: y } = event;
      const repeats =
        first !== null && at - first.at < DOUBLE_CLICK_MS && Math.hypot(x - first.x, y - first.y) <= MAX_DISTANCE_PX;
      if (first === null || !repeats) {
        first = { control, state: stateOf(control), at, x, y };
        return;
      }
      first.at = at;
      if (control === first.control && stateOf(control) === first.state) return;
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
 * @returns {Element | null} the control that is clicked; for a label, its input
 */
function controlOf(target) {
  const control = target instanceof Element ? target.closest("button, a, summary, input, select, label") : null;
  return control instanceof HTMLLabelElement ? control.control : control;
}

/** @param {Element} control */
function stateOf(control) {
  return [control.textContent, control.getAttribute("aria-label"), control.getAttribute("aria-expanded")].join("\n");
}
