// A slide's card in the list. What a technician may do is there for technicians only.

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
   * @param {CardActions | null} actions null for those who only look
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
      actions && element("div", { class: "slide-actions" }, button("Review", () => actions.review(this.#slide))),
      actions && this.#selector(actions),
    );
    this.#nameControls();
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
   * Brings the card up to date. What has not changed stays, with the keyboard where it is.
   * @param {Slide} slide
   * @returns {boolean} whether the images have to be shown anew
   */
  update(slide) {
    const imported = slide.ImportStatus !== this.#slide.ImportStatus;
    this.#slide = slide;
    const parts = [heading(slide), facts(slide), state(slide, this.#actions !== null)];
    for (const part of parts) {
      const old = this.element.querySelector(`.${part.className}`);
      if (old && !old.isEqualNode(part)) old.replaceWith(part);
    }
    this.#nameControls();
    return imported;
  }

  /** @param {CardActions} actions */
  #selector({ select }) {
    this.#checkbox = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", change: select }));
    return element("label", { class: "slide-select" }, this.#checkbox);
  }

  /** Says of buttons that are alike on all cards which slide they are about. */
  #nameControls() {
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
  const known = [
    ["Case", slide.CaseID ?? null],
    ["Scanned", formatDate(slide.ScanDate)],
    ["Objective", slide.AppMag ? `${slide.AppMag}×` : null],
    ["Size", formatSize(slide)],
  ];
  return definitions(known.map(([term, text]) => [term, text ?? "unknown"]));
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
  const gone = status === "TRANSFERRED" || status === "DELETED";
  const text = gone ? statusText(status) : `Review: ${statusText(status)}`;
  return element("span", { class: `badge status-${status}` }, text);
}

/** @param {Slide} slide */
function reviewState(slide) {
  const removal = removalState(slide);
  const doing = removal?.state === "doing";
  const failures = [removal && !doing ? removal.text : null, slide.SendError ? `Sending: ${slide.SendError}` : null];
  const unidentified = slide.IdSource === "NONE" && slide.ImportStatus !== "FAILED" && slide.Status !== "DELETED";
  return [
    unidentified ? element("span", { class: "badge importing" }, "Not identified") : null,
    slide.EditedAfterSending ? element("span", { class: "badge importing" }, "Changed after sending") : null,
    removal && doing ? element("span", { class: "badge importing" }, removal.text) : null,
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
    const text = imported ? "Imported" : "Import state unknown";
    part.append(element("span", { class: imported ? "badge imported" : "badge" }, text));
  }
  return part;
}
