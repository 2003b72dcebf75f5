// A slide's card in the list. Only technicians see the buttons and the checkbox.

import { button, definitions, element } from "../dom.js";
import { formatDate, formatSize, nameOf, progressOf, statusText } from "../record.js";
import { removalState } from "../review/removal.js";
import { replaceParts, slideCheckbox, slideLink } from "./rows.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./rows.js").RowActions} RowActions
 */

export class SlideCard {
  /** @type {HTMLElement} */
  element;
  /** @type {HTMLInputElement | null} */
  #checkbox;
  #actions;
  #slide;

  /**
   * @param {Slide} slide
   * @param {RowActions | null} actions null for users who only view
   */
  constructor(slide, actions) {
    this.#slide = slide;
    this.#actions = actions;
    this.#checkbox = actions && slideCheckbox(slide, actions);
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
      this.#checkbox && element("label", { class: "slide-select" }, this.#checkbox),
    );
    this.#labelControls();
  }

  /** @param {boolean} selected */
  select(selected) {
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
    replaceParts(this.element, [heading(slide), facts(slide), state(slide, this.#actions !== null)]);
    this.#labelControls();
    return imported;
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
  return element("h2", { class: "slide-name", title: slide.Filename ?? null }, slideLink(slide));
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
  const failed = slide.ImportStatus === "FAILED"; // what to do needs the room of what is unknown
  const shown = failed ? rows.filter(([, text]) => text !== null) : rows;
  return definitions(shown.map(([term, text]) => [term, text ?? "unknown"]));
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
