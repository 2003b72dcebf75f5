// The templates of the review page.

import { html, nothing } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { REVIEW_REASONS } from "../record.js";
import { OPERATIONS, removalState } from "../review/removal.js";
import * as rules from "../review/review.js";
import * as parts from "../review/review-parts.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../review/review.js").Operation} Operation
 *
 * @typedef {object} Model
 * @property {Slide | null} slide
 * @property {import("../review/review.js").TypedIds} typed
 * @property {string} position for example `3 of 24`
 * @property {boolean} ready whether the slide can be judged
 * @property {boolean} reasons whether the reasons are shown
 * @property {string} note
 * @property {string} result
 * @property {Node[]} notices
 * @property {Record<"label" | "macro", import("./photographs.js").Photograph>} glass
 * @property {Node} tissue
 * @property {Node | null} history
 *
 * @typedef {object} Handlers
 * @property {(event: Event) => void} judge a click on a button with `data-status`
 * @property {(reason: string, event: Event) => void} reason
 * @property {(event: Event) => void} type
 * @property {(event: Event) => void} submit
 * @property {() => void} confirm
 * @property {(event: Event) => void} noteTyped
 * @property {(step: 1 | -1) => void} go
 * @property {() => void} cancelReasons
 * @property {(name: "label" | "macro") => void} turn
 * @property {(name: "label" | "macro") => void} enlarge
 * @property {(operation: Operation) => void} remove
 */

/** The operation that cannot be undone comes last. @type {Operation[]} */
const REMOVALS = ["TRANSFER", "RESTORE", "DELETE"];
const GLASS_NAMES = { label: "Label", macro: "Macro" };

/**
 * Return the page's template.
 * @param {Model} model
 * @param {Handlers} on
 */
export function reviewTemplate(model, on) {
  return html`
    ${model.tissue} ${glassTemplate("label", model, on)} ${glassTemplate("macro", model, on)}
    <div class="review-side">
      ${
        model.slide
          ? sideTemplate(model.slide, model, on)
          : html`<div class="review-notices" role="status">${model.notices.length ? model.notices : "Loading…"}</div>`
      }
    </div>
    ${barTemplate(model, on)}
  `;
}

/**
 * @param {"label" | "macro"} name
 * @param {Model} model
 * @param {Handlers} on
 */
function glassTemplate(name, { glass }, on) {
  const { content, turns, enlarged } = glass[name];
  const title = GLASS_NAMES[name];
  return html`
    <figure class="review-glass" data-glass=${name} ?data-enlarged=${enlarged}>
      <div class="slide-image" data-turns=${turns}>${content}</div>
      <figcaption>
        <span>${title}</span>
        <button class="button" type="button" aria-label="Turn the ${name}" @click=${() => on.turn(name)}>Turn</button>
        <button
          class="button"
          type="button"
          aria-label="Enlarge the ${name}"
          aria-pressed=${String(enlarged)}
          title="Enlarge (${title[0]})"
          @click=${() => on.enlarge(name)}
        >
          Enlarge
        </button>
      </figcaption>
    </figure>
  `;
}

/**
 * @param {Slide} slide
 * @param {Model} model
 * @param {Handlers} on
 */
function sideTemplate(slide, { typed, ready, result, notices, history }, on) {
  const dirty = Object.keys(rules.editOf(slide, typed)).length > 0;
  const editable = rules.isEditable(slide);
  const removals = rules.removals(slide);
  const removal = removalState(slide);
  return html`
    <div class="review-badges">${parts.badgesOf(slide)}</div>
    <form class="review-ids" @submit=${on.submit}>
      ${rules.ID_FIELDS.map((field) => idTemplate(field, slide, typed, editable, on))}
      <p class="review-source soft">${parts.sourceText(slide)}</p>
      <div class="review-actions">
        <button type="submit" class="button" ?disabled=${!dirty || !editable || !ready}>Save IDs</button>
        <button
          type="button"
          class="button"
          title="These IDs are correct"
          ?disabled=${!ready || !rules.isConfirmable(slide, typed)}
          @click=${on.confirm}
        >
          Confirm IDs
        </button>
      </div>
      <p class="review-result" role="status">${result}</p>
    </form>
    <div class="review-notices">${notices}</div>
    <div class="review-facts">${badReason(slide)} ${parts.importAndSendingLines(slide)}</div>
    <p class="review-scan soft">${parts.scanText(slide)}</p>
    <h3>File</h3>
    <div class="review-actions" role="group" aria-label="The slide's file">
      ${REMOVALS.map(
        (operation) => html`
          <button
            type="button"
            class="button ${operation === "DELETE" ? "danger" : ""}"
            data-operation=${operation}
            ?disabled=${!removals.includes(operation)}
            @click=${() => on.remove(operation)}
          >
            ${OPERATIONS[operation].verb}…
          </button>
        `,
      )}
    </div>
    <p class="removal ${removal?.state ?? "soft"}" role="status">
      ${removal?.text ?? (removals.length === 0 ? parts.noOperationsText(slide) : "")}
    </p>
    ${history}
  `;
}

/**
 * @param {"SlideID" | "CaseID"} field
 * @param {Slide} slide
 * @param {import("../review/review.js").TypedIds} typed
 * @param {boolean} editable
 * @param {Handlers} on
 */
function idTemplate(field, slide, typed, editable, on) {
  const removesId = Boolean(slide[field]) && rules.idOf(typed[field]) === null;
  const hint = field === "SlideID" ? parts.barcodeText(slide) : "Follows the slide ID until you type another.";
  return html`
    <div class="field">
      <label for="review-${field}">${rules.FIELD_NAMES[field]}</label>
      <input
        id="review-${field}"
        name=${field}
        type="text"
        autocomplete="off"
        autocapitalize="off"
        spellcheck="false"
        aria-describedby="review-${field}-hint"
        .value=${live(typed[field])}
        ?readonly=${!editable}
        @input=${on.type}
      />
      <p id="review-${field}-hint" class=${removesId ? "field-warning" : "soft"}>
        ${removesId ? `Saving removes the ${rules.fieldInSentence(field)}.` : hint}
      </p>
    </div>
  `;
}

/** @param {Slide} slide */
function badReason({ Status, ReviewReason, ReviewNote }) {
  if (Status !== "BAD" || (!ReviewReason && !ReviewNote)) return nothing;
  const reason = ReviewReason ? REVIEW_REASONS[ReviewReason] : "No reason";
  return html`<p class="review-reason">Bad: ${reason}${ReviewNote ? html`. <q>${ReviewNote}</q>` : nothing}</p>`;
}

/**
 * @param {Model} model
 * @param {Handlers} on
 */
function barTemplate(model, on) {
  const { slide, typed, ready, position, reasons } = model;
  const next = slide ? rules.nextStatuses(rules.asTyped(slide, typed)) : [];
  const status = slide?.Status ?? "NEW";
  const judge = (/** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ key) => html`
    <button
      class="button judge"
      type="button"
      data-status=${name}
      aria-keyshortcuts=${key}
      ?disabled=${!slide || !(next.includes(name) || canRepeat(name, status))}
      aria-disabled=${ready ? nothing : "true"}
      @click=${on.judge}
    >
      ${text} <kbd>${key}</kbd>
    </button>
  `;
  const go = (/** @type {1 | -1} */ step, /** @type {string} */ text, /** @type {string} */ key) => html`
    <button class="button" type="button" data-step=${step} aria-keyshortcuts=${key} @click=${() => on.go(step)}>
      ${text} <kbd>${key}</kbd>
    </button>
  `;
  const hint = slide && (rules.notSendable(rules.asTyped(slide, typed)) ?? hintOf(slide, typed));
  return html`
    <div class="review-bar" ?data-reasons=${reasons}>
      ${reasons ? reasonsTemplate(model, on) : nothing} ${go(-1, "Previous", "P")} ${judge("GOOD", "Good", "G")}
      ${judge("BAD", "Bad…", "B")} ${judge("SEND", slide ? parts.sendText(slide) : "Send", "S")} ${go(1, "Next", "N")}
      <p class="review-hint soft" role="status"><span class="review-position">${position}</span> ${hint}</p>
    </div>
  `;
}

/**
 * Check whether a status can be chosen that the slide has: good goes to the next slide, bad changes the reason.
 * @param {string} name
 * @param {string} status
 */
function canRepeat(name, status) {
  return name === status && (name === "GOOD" || name === "BAD");
}

/**
 * @param {Slide} slide
 * @param {import("../review/review.js").TypedIds} typed
 */
function hintOf(slide, typed) {
  const dirty = Object.keys(rules.editOf(slide, typed)).length > 0;
  return dirty ? "Good, Bad and Send save the typed IDs, too." : "";
}

/**
 * @param {Model} model
 * @param {Handlers} on
 */
function reasonsTemplate({ note }, on) {
  return html`
    <div class="review-reasons" role="group" aria-label="Why is it bad?" tabindex="-1">
      <p class="review-reasons-title">Why is it bad?</p>
      ${Object.entries(REVIEW_REASONS).map(
        ([reason, text], index) => html`
          <button
            class="button"
            type="button"
            data-reason=${reason}
            aria-keyshortcuts=${index + 1}
            @click=${(/** @type {Event} */ event) => on.reason(reason, event)}
          >
            <kbd>${index + 1}</kbd> ${text}
          </button>
        `,
      )}
      <label class="field">
        Note (optional; type it first)
        <input type="text" name="note" maxlength="500" autocomplete="off" .value=${live(note)} @input=${on.noteTyped} />
      </label>
      <button class="button quiet" type="button" @click=${on.cancelReasons}>Cancel <kbd>Esc</kbd></button>
    </div>
  `;
}
