// The dialog that asks for confirmation before slides are deleted, archived or restored, sends the request, and shows
// the result for each slide.

import { openDialog } from "../dialog.js";
import { button, element, message } from "../dom.js";
import { describe, sentence } from "../api/errors.js";
import { nameOf } from "../record.js";
import { OPERATIONS, removalState, removalTitle } from "./removal.js";
import { Watch } from "../watch.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../api/api.js").RemovalResult} RemovalResult
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Operation} Operation
 */

/** Slides per request. The server handles them one by one, and must answer within 30 seconds. */
const BATCH_SIZE = 50;
const ACCEPTED = 202;
/** In place of an HTTP status while there is no response. */
const NO_RESPONSE = 0;

/**
 * Show the dialog.
 * @param {Api} api
 * @param {Operation} operation
 * @param {Slide[]} slides
 * @param {(slides: Slide[]) => void} onUpdate called with records that have changed
 * @returns {Promise<boolean>} whether the user confirmed; resolved when the dialog is closed
 */
export function openRemovalDialog(api, operation, slides, onUpdate) {
  const title = removalTitle(operation, slides);
  const content = element("div", { class: "dialog-content" });
  const actions = element("div", { class: "dialog-actions" });
  const dialog = openDialog("removal", `${title}?`, [], content, actions);
  const close = () => dialog.close();
  let confirmed = false;

  content.append(
    element("p", {}, OPERATIONS[operation].meaning),
    element("ul", { class: "names" }, ...slides.map((slide) => element("li", {}, ...namesOf(slide)))),
  );
  const keep = button(operation === "DELETE" ? "Keep" : "Cancel", close);
  const confirm = button(title, () => void carryOut());
  if (operation === "DELETE") {
    // neither under the pointer after the click that opened the dialog, nor the button that has the focus
    confirm.classList.add("danger");
    actions.append(confirm, keep);
    keep.focus();
  } else {
    confirm.classList.add("primary");
    actions.append(keep, confirm);
    confirm.focus();
  }

  const carryOut = async () => {
    confirmed = true;
    const results = new Results(slides);
    content.replaceChildren(results.element);
    /** @type {HTMLElement} */ (dialog.querySelector(".dialog-title")).textContent = title;
    // both buttons keep their places, so that a double click on either has no further effect
    confirm.disabled = true;
    keep.textContent = "Close";
    keep.focus();
    await sendRequests(api, operation, slides, results);

    /** @type {Slide[]} */
    let records = slides;
    const show = (/** @type {Slide[]} */ now) => {
      records = now;
      now.forEach((slide) => results.showRecord(operation, slide));
      onUpdate(now);
    };
    const watch = new Watch(api, () => records, show);
    dialog.addEventListener("close", () => watch.stop());
    try {
      show(await api.getSlides(slides.map(({ ImageID }) => ImageID)));
    } catch (error) {
      content.append(message(describe(error)));
    }
    if (dialog.open) watch.start();
  };
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(confirmed)));
}

/**
 * @param {Api} api
 * @param {Operation} operation
 * @param {Slide[]} slides
 * @param {Results} results
 */
async function sendRequests(api, operation, slides, results) {
  for (let start = 0; start < slides.length; start += BATCH_SIZE) {
    const batch = slides.slice(start, start + BATCH_SIZE);
    try {
      (await api.removeImages(operation, batch)).forEach((result) => results.show(result));
    } catch (error) {
      const { title, detail } = describe(error);
      // the server may have accepted it all the same: the records show that later
      batch.forEach(({ ImageID }) => results.show({ ImageID, status: NO_RESPONSE, detail: `${title}. ${detail}` }));
    }
  }
  results.showSummary();
}

/** @param {number} status */
function isAccepted(status) {
  return status >= 200 && status < 300;
}

/** The list of slides with the result for each. */
class Results {
  /** @type {Map<string, {line: HTMLElement, text: HTMLElement, status: number}>} by image ID */
  #lines = new Map();
  #summary = element("p", { role: "status" }, "Sending the request…");

  /** @param {Slide[]} slides */
  constructor(slides) {
    for (const slide of slides) {
      const text = element("p", { class: "result-text" }, "…");
      const line = element("li", { "data-image-id": slide.ImageID }, ...namesOf(slide), text);
      this.#lines.set(slide.ImageID, { line, text, status: NO_RESPONSE });
    }
    const list = element("ul", { class: "names results" }, ...[...this.#lines.values()].map(({ line }) => line));
    this.element = element("div", {}, this.#summary, list);
  }

  /** @param {RemovalResult} result */
  show({ ImageID, status, detail }) {
    const entry = this.#lines.get(ImageID);
    if (!entry) return;
    entry.status = status;
    this.#setText(entry, isAccepted(status) ? "accepted" : "refused", sentence(detail));
  }

  /** Show how many slides were accepted. */
  showSummary() {
    const accepted = [...this.#lines.values()].filter(({ status }) => isAccepted(status)).length;
    const note = accepted ? " The work continues when you close this dialog." : "";
    this.#summary.textContent = `${accepted} of ${this.#lines.size} accepted.${note}`;
  }

  /**
   * @param {Operation} operation
   * @param {Slide} slide its current record
   */
  showRecord(operation, slide) {
    const entry = this.#lines.get(slide.ImageID);
    if (!entry) return;
    const state = removalState(slide);
    if (entry.status === NO_RESPONSE && slide.Removal?.Operation === operation) entry.status = ACCEPTED;
    if (!isAccepted(entry.status)) return;
    if (!state) this.#setText(entry, "done", OPERATIONS[operation].done);
    else this.#setText(entry, state.state === "failed" ? "failed" : "accepted", state.text);
  }

  /**
   * @param {{line: HTMLElement, text: HTMLElement}} entry
   * @param {string} result
   * @param {string} newText
   */
  #setText({ line, text }, result, newText) {
    line.dataset.result = result;
    text.textContent = newText;
  }
}

/**
 * @param {Slide} slide
 * @returns {Node[]}
 */
function namesOf(slide) {
  const more = [slide.CaseID && `case ${slide.CaseID}`, slide.Filename].filter(Boolean).join(" · ");
  return [element("strong", {}, nameOf(slide)), element("span", { class: "soft" }, more)];
}
