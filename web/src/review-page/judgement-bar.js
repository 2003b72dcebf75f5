// The bar of the last judgements: whether they are saved, and a button that undoes each.

import { html, nothing, render } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { describe } from "../api/errors.js";
import { nameOf, statusText } from "../record.js";
import { UNDO_MS, undoOf } from "../review/judgements.js";

/**
 * @typedef {import("../review/judgements.js").Judgement} Judgement
 * @typedef {import("../review/judgements.js").Judgements} Judgements
 */

/** As many saved judgements are shown; those that are not saved are all shown. */
const MOST_SAVED = 4;

export class JudgementBar {
  #root;
  #judgements;
  #onShow;

  /**
   * @param {HTMLElement} root
   * @param {Judgements} judgements
   * @param {(imageId: string) => void} onShow called to show a slide
   */
  constructor(root, judgements, onShow) {
    this.#root = root;
    this.#judgements = judgements;
    this.#onShow = onShow;
  }

  /** Show the judgements of the last minute, and those that are not saved. */
  render() {
    const { open } = this.#judgements;
    const saved = open.filter(({ state }) => state === "saved").slice(0, MOST_SAVED);
    const shown = open.filter((each) => each.state !== "saved" || saved.includes(each));
    const last = this.#judgements.undoable;
    render(
      html`<ul aria-label="The last judgements">
        ${repeat(
          shown,
          (each) => each,
          (each) => this.#itemTemplate(each, each === last),
        )}
      </ul>`,
      this.#root,
    );
    if (shown.length) setTimeout(() => this.render(), shown[shown.length - 1].madeAt + UNDO_MS - Date.now() + 100);
  }

  /**
   * @param {Judgement} judgement
   * @param {boolean} isLast
   */
  #itemTemplate(judgement, isLast) {
    const { before, edit, state, undoing, error } = judgement;
    const name = nameOf({ ...before, ...edit });
    const act = (/** @type {string} */ text, /** @type {() => void} */ onClick, /** @type {unknown} */ key = nothing) =>
      html`<button class="button" type="button" aria-label="${text}: ${name}" @click=${onClick}>
        ${text} ${key}
      </button>`;
    const undo = () => void this.#judgements.undo(judgement);
    const isUndoable = (state === "saved" || state === "saving") && undoOf(judgement) !== null;
    return html`
      <li data-state=${state} data-image-id=${before.ImageID}>
        <span class="judgement-name">${name}</span>
        <span>${edit.Status ? statusText(edit.Status) : "IDs"}</span>
        <span class="judgement-state" role="status">${stateText(judgement)}</span>
        ${state === "failed" ? act("Try again", () => this.#judgements.retry(judgement)) : nothing}
        ${state === "failed" || state === "conflict" || error ? act("Show", () => this.#onShow(before.ImageID)) : nothing}
        ${isUndoable && !undoing ? act("Undo", undo, isLast ? html`<kbd>U</kbd>` : nothing) : nothing}
      </li>
    `;
  }
}

/** @param {Judgement} judgement */
function stateText({ state, undoing, error }) {
  if (undoing) return "being undone…";
  if (state === "saving") return "saving…";
  if (state === "failed") return `not saved: ${describe(error).title}`;
  if (state === "conflict") return "not saved: somebody else has changed it";
  return error ? `not undone: ${describe(error).detail}` : "saved";
}
