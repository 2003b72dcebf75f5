// A slide's card in the list. Only technicians see the buttons and the checkbox.

import { button, definitions, element } from "../dom.js";
import { formatDate, formatSize, isViewable, nameOf, progressOf, statusText } from "../record.js";
import { removalState } from "../review/removal.js";
import { formatRoute } from "../route.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 *
 * @typedef {object} CardActions
 * @property {(slide: Slide) => void} review
 * @property {() => void} select called when the card's checkbox has changed
 */

export class SlideCard {
  /** @type {HTMLElement} */
  element;
  /** @type {HTMLInputElement | null} */
  #checkbox = null;
  #actions;
  #slide;

  /**
   * @param {Slide} slide
   * @param {CardActions | null} actions null for users who only view
   */
  constructor(slide, actions) {
    this.#slide = slide;
    this.#actions = actions;
    this.element = element(
      "li",
      { class: "slide-card", "data-image-id": slide.ImageID },
      images(),
      heading(slide),
      facts(slide),
      state(slide, actions !== null),
      actions &&
        element(
          "div",
          { class: "slide-actions" },
          button("Review", () => actions.review(this.#slide)),
        ),
      actions && this.#selector(actions),
    );
    this.#labelControls();
  }

  /** @returns {Slide} */
  get slide() {
    return this.#slide;
  }

  /** @returns {boolean} */
  get selected() {
    return this.#checkbox?.checked ?? false;
  }

  set selected(selected) {
    if (this.#checkbox) this.#checkbox.checked = selected;
  }

  /**
   * Show the current record. Elements that have not changed stay, so that they keep the focus.
   * @param {Slide} slide
   * @returns {boolean} whether the images must be loaded again
   */
  update(slide) {
    const imported = slide.ImportStatus !== this.#slide.ImportStatus;
    this.#slide = slide;
    const parts = [heading(slide), facts(slide), state(slide, this.#actions !== null)];
    for (const part of parts) {
      const old = this.element.querySelector(`.${part.className}`);
      if (old && !old.isEqualNode(part)) old.replaceWith(part);
    }
    this.#labelControls();
    return imported;
  }

  /** @param {CardActions} actions */
  #selector({ select }) {
    this.#checkbox = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", change: select }));
    return element("label", { class: "slide-select" }, this.#checkbox);
  }

  /** Label the button and the checkbox with the slide: their text is the same on all cards. */
  #labelControls() {
    const name = nameOf(this.#slide);
    this.element.querySelector(".slide-actions button")?.setAttribute("aria-label", `Review ${name}`);
    this.#checkbox?.setAttribute("aria-label", `Select ${name}`);
  }
}

function images() {
  return element(
    "div",
    { class: "slide-images" },
    element("div", { class: "slide-image label", "data-image": "label" }),
    element("div", { class: "slide-image thumbnail", "data-image": "thumbnail" }),
  );
}

/** @param {Slide} slide */
function heading(slide) {
  const name = nameOf(slide);
  const link = isViewable(slide)
    ? element("a", { class: "slide-link", href: formatRoute(slide.ImageID) }, name)
    : element("span", {}, name);
  return element("h2", { class: "slide-name", title: slide.Filename ?? null }, link);
}

/** @param {Slide} slide */
function facts(slide) {
  /** @type {[string, string | null][]} */
  const rows = [
    ["Case", slide.CaseID ?? null],
    ["Scanned", formatDate(slide.ScanDate)],
    ["Objective", slide.AppMag ? `${slide.AppMag}×` : null],
    ["Size", formatSize(slide)],
  ];
  return definitions(rows.map(([term, text]) => [term, text ?? "unknown"]));
}

/**
 * @param {Slide} slide
 * @param {boolean} forTechnicians
 */
function state(slide, forTechnicians) {
  return element(
    "div",
    { class: "slide-state" },
    importState(slide),
    slide.Status ? statusBadge(slide.Status) : null,
    ...(forTechnicians ? reviewState(slide) : []),
  );
}

/** @param {string} status */
function statusBadge(status) {
  const removed = status === "TRANSFERRED" || status === "DELETED";
  const text = removed ? statusText(status) : `Review: ${statusText(status)}`;
  return element("span", { class: `badge status-${status}` }, text);
}

/** @param {Slide} slide */
function reviewState(slide) {
  const removal = removalState(slide);
  const inProgress = removal?.state === "in-progress";
  const failures = [
    removal && !inProgress ? removal.text : null,
    slide.SendError ? `Sending failed: ${slide.SendError}` : null,
  ];
  const unidentified = slide.IdSource === "NONE" && slide.ImportStatus !== "FAILED" && slide.Status !== "DELETED";
  return [
    unidentified ? element("span", { class: "badge importing" }, "Not identified") : null,
    slide.EditedAfterSending ? element("span", { class: "badge importing" }, "Changed after sending") : null,
    removal && inProgress ? element("span", { class: "badge importing" }, removal.text) : null,
    ...failures.map((text) => text && element("p", { class: "import-error" }, text)),
  ].filter((node) => node instanceof Node);
}

/**
 * @param {Slide} slide
 * @returns {HTMLElement}
 */
function importState(slide) {
  const status = slide.ImportStatus ?? "unknown";
  const part = element("div", { class: "import", "data-import-status": status });
  if (status === "IMPORTING") {
    const share = progressOf(slide);
    const percent = share === null ? "" : ` ${Math.floor(share * 100)}%`;
    part.append(
      element("span", { class: "badge importing" }, `Importing${percent}`),
      element("progress", { max: 1, value: share, "aria-label": "Import progress" }),
    );
  } else if (status === "FAILED") {
    part.append(
      element("span", { class: "badge failed" }, "Import failed"),
      element("p", { class: "import-error" }, slide.ImportError || "No reason was recorded."),
    );
  } else {
    const imported = status === "IMPORTED";
    const text = imported ? "Imported" : "Import status unknown";
    part.append(element("span", { class: imported ? "badge imported" : "badge" }, text));
  }
  return part;
}
