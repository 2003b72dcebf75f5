// The dialog that asks whether slides shall really be deleted, archived or brought back, has it done, and tells what
// becomes of each.

import { openDialog } from "./dialog.js";
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

/** So many slides go into one request: each takes the server a moment, and it has half a minute. */
const BATCH = 50;
const ACCEPTED = 202;
/** Stands for the status of what there is no answer to. */
const UNHEARD = 0;

/**
 * @param {Api} api
 * @param {Operation} operation
 * @param {Slide[]} slides
 * @param {(slides: Slide[]) => void} tell called with records that have changed
 * @returns {Promise<boolean>} whether it was confirmed, once the dialog is closed
 */
export function openRemovalDialog(api, operation, slides, tell) {
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
    // on the other side from where one has just clicked, and not where the Enter key falls
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
    // both stay where they are: the second click of two on either changes nothing
    confirm.disabled = true;
    keep.textContent = "Close";
    keep.focus();
    await ask(api, operation, slides, results);

    /** @type {Slide[]} */
    let records = slides;
    const show = (/** @type {Slide[]} */ now) => {
      records = now;
      now.forEach((slide) => results.showRecord(operation, slide));
      tell(now);
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
async function ask(api, operation, slides, results) {
  for (let start = 0; start < slides.length; start += BATCH) {
    const batch = slides.slice(start, start + BATCH);
    try {
      (await api.removeImages(operation, batch)).forEach((result) => results.show(result));
    } catch (error) {
      const { title, detail } = describe(error);
      // nothing was heard, which is not to say that nothing was done: the records tell
      batch.forEach(({ ImageID }) => results.show({ ImageID, status: UNHEARD, detail: `${title}. ${detail}` }));
    }
  }
  results.count();
}

/** @param {number} status */
function isAccepted(status) {
  return status >= 200 && status < 300;
}

/** What became of each slide, one by one. */
class Results {
  /** @type {Map<string, {line: HTMLElement, words: HTMLElement, status: number}>} by image ID */
  #lines = new Map();
  #summary = element("p", { role: "status" }, "Asking for it…");

  /** @param {Slide[]} slides */
  constructor(slides) {
    for (const slide of slides) {
      const words = element("p", { class: "result-text" }, "…");
      const line = element("li", { "data-image-id": slide.ImageID }, ...namesOf(slide), words);
      this.#lines.set(slide.ImageID, { line, words, status: UNHEARD });
    }
    const list = element("ul", { class: "names results" }, ...[...this.#lines.values()].map(({ line }) => line));
    this.element = element("div", {}, this.#summary, list);
  }

  /** @param {RemovalResult} result */
  show({ ImageID, status, detail }) {
    const entry = this.#lines.get(ImageID);
    if (!entry) return;
    entry.status = status;
    this.#say(entry, isAccepted(status) ? "accepted" : "refused", sentence(detail));
  }

  /** Sums up. */
  count() {
    const accepted = [...this.#lines.values()].filter(({ status }) => isAccepted(status)).length;
    const refused = this.#lines.size - accepted;
    const parts = [accepted && `${accepted} accepted`, refused && `${refused} not`].filter(Boolean);
    this.#summary.textContent = `${parts.join(", ")}. What is accepted goes on when this is closed.`;
    if (accepted === 0) this.#summary.textContent = `None of ${refused} accepted.`;
  }

  /**
   * @param {Operation} operation
   * @param {Slide} slide as its record is now
   */
  showRecord(operation, slide) {
    const entry = this.#lines.get(slide.ImageID);
    if (!entry) return;
    const state = removalState(slide);
    if (entry.status === UNHEARD && slide.Removal?.Operation === operation) entry.status = ACCEPTED;
    if (!isAccepted(entry.status)) return;
    if (!state) this.#say(entry, "done", OPERATIONS[operation].done);
    else this.#say(entry, state.state === "failed" ? "failed" : "accepted", state.text);
  }

  /**
   * @param {{line: HTMLElement, words: HTMLElement}} entry
   * @param {string} state
   * @param {string} text
   */
  #say({ line, words }, state, text) {
    line.dataset.result = state;
    words.textContent = text;
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
