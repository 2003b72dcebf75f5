// The review dialog of one slide: its IDs beside its label, its status, operations on its file, its history.

import { openDialog } from "../dialog.js";
import { button, element, message } from "../dom.js";
import { DOUBLE_CLICK_MS } from "../double-click.js";
import { describe, RequestError, sentence } from "../api/errors.js";
import { History } from "./history.js";
import { nameOf, statusText } from "../record.js";
import { OPERATIONS, removalState } from "./removal.js";
import * as rules from "./review.js";
import * as parts from "./review-parts.js";
import { Watch } from "../watch.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./review.js").Difference} Difference
 * @typedef {import("./review.js").Edit} Edit
 * @typedef {import("./review.js").Operation} Operation
 * @typedef {import("./review.js").TypedIds} TypedIds
 */

/** The statuses with a button, in the order of the buttons. */
const STATUSES = ["GOOD", "BAD", "SEND"];
/** The operation that cannot be undone comes last. @type {Operation[]} */
const REMOVALS = ["TRANSFER", "RESTORE", "DELETE"];
/** How often an edit is sent while only other fields of the record change, before the user decides. */
const MAX_ATTEMPTS = 4;

export class ReviewDialog {
  #api;
  #onUpdate;
  #dialog;
  #remove;
  #history;
  #watch;
  /** @type {Slide} the record that is shown */
  #seen;
  /** @type {string | null} a status that the user chose, and that is not saved yet */
  #chosenStatus = null;
  #saving = false;
  #closed = new AbortController();
  #inputs;
  #parts = {
    badges: element("span", { class: "review-badges" }),
    notice: element("div", { class: "review-notice" }),
    conflict: element("div", { class: "review-conflict" }),
    facts: element("div", { class: "review-facts" }),
    scan: element("p", { class: "soft" }),
    source: element("p", { class: "review-source soft" }),
    hint: element("p", { class: "review-hint soft" }),
    removal: element("p", { class: "removal", role: "status" }),
    result: element("p", { class: "review-result", role: "status" }),
  };
  #save = /** @type {HTMLButtonElement} */ (element("button", { type: "submit", class: "button primary" }, "Save"));
  #confirm = button("Confirm IDs", () => void this.#confirmIds());
  /** @type {Map<string, HTMLButtonElement>} */
  #statuses;
  /** @type {Map<string, HTMLButtonElement>} */
  #removals;
  #statusGroup;
  /** @type {Map<string, number>} when the user last set each status */
  #setAt = new Map();

  /**
   * Open the dialog.
   * @param {Api} api
   * @param {Slide} slide
   * @param {(slides: Slide[]) => void} onUpdate called with the record when it has changed
   * @param {(operation: Operation, slide: Slide) => void} remove
   */
  constructor(api, slide, onUpdate, remove) {
    this.#api = api;
    this.#onUpdate = onUpdate;
    this.#remove = remove;
    this.#seen = slide;
    this.#history = new History(api, slide.ImageID);
    this.#watch = new Watch(
      api,
      () => [this.#seen],
      ([now]) => now && !this.#saving && this.update(now),
    );
    this.#inputs = { SlideID: this.#input("SlideID"), CaseID: this.#input("CaseID") };

    this.#statuses = new Map(STATUSES.map((status) => [status, button("", () => this.#setStatus(status))]));
    this.#removals = new Map(
      REMOVALS.map((each) => [each, button(`${OPERATIONS[each].verb}…`, () => this.#remove(each, this.#seen))]),
    );
    for (const [status, choice] of this.#statuses) choice.dataset.status = status;
    for (const [operation, choice] of this.#removals) choice.dataset.operation = operation;
    this.#removals.get("DELETE")?.classList.add("danger");
    this.#confirm.title = "These IDs are correct";
    this.#statusGroup = element(
      "div",
      { class: "review-actions review-statuses", tabindex: -1, role: "group", "aria-label": "Set the status" },
      ...this.#statuses.values(),
    );
    const fileGroup = element(
      "div",
      { class: "review-actions", role: "group", "aria-label": "The slide's file" },
      ...this.#removals.values(),
    );

    const { badges, notice, conflict, facts, scan, source, hint, removal, result } = this.#parts;
    const close = button("Close", () => this.#close());
    const form = element(
      "form",
      { class: "review-ids", submit: (/** @type {Event} */ event) => this.#submit(event) },
      this.#field("SlideID", ""),
      this.#field("CaseID", "Usually the slide ID up to its last hyphen."),
      source,
      element("div", { class: "review-actions review-saving" }, this.#save, this.#confirm, result),
    );
    // No element above the buttons appears or disappears: the buttons keep their places under the pointer.
    const main = element(
      "div",
      { class: "review-main" },
      form,
      element("h3", {}, "Review"),
      this.#statusGroup,
      hint,
      badges,
      facts,
      conflict,
      notice,
      element("h3", {}, "File"),
      fileGroup,
      removal,
      this.#history.element,
    );
    const label = parts.labelView(api, slide.ImageID, this.#closed.signal, scan);
    const body = element("div", { class: "review-body" }, label, main);
    this.#dialog = openDialog("review", nameOf(slide), [close], body);
    this.#dialog.addEventListener("cancel", (event) => {
      if (event.target !== this.#dialog) return; // the event of an element inside
      event.preventDefault();
      this.#close();
    });
    this.#dialog.addEventListener("close", () => {
      this.#closed.abort();
      this.#watch.stop();
    });
    for (const field of rules.ID_FIELDS) this.#inputs[field].value = slide[field] ?? "";
    this.#render();
    // on a touch screen the keyboard would hide the label
    if (!matchMedia("(pointer: coarse)").matches) this.#inputs.SlideID.select();
    void this.#refresh();
  }

  /** @returns {string} */
  get imageId() {
    return this.#seen.ImageID;
  }

  /**
   * Show the current record, and keep what the user has typed.
   * @param {Slide} now
   * @param {boolean} [notify] whether to call `onUpdate`
   */
  update(now, notify = true) {
    const newer = (now.Version ?? 0) - (this.#seen.Version ?? 0);
    if (!this.#dialog.isConnected || newer < 0) return;
    const { typed, differences } = rules.rebase(this.#seen, this.#typed, now, this.#chosenStatus);
    this.#seen = now;
    for (const field of rules.ID_FIELDS) {
      if (this.#inputs[field].value !== typed[field]) this.#inputs[field].value = typed[field];
    }
    const isConflict = differences.some(({ mine }) => mine !== undefined);
    if (isConflict) this.#showConflict(differences);
    this.#render();
    if (newer > 0) this.#history.refresh();
    if (notify) this.#onUpdate([now]);
    this.#watch.start();
  }

  /** @returns {TypedIds} */
  get #typed() {
    return { SlideID: this.#inputs.SlideID.value, CaseID: this.#inputs.CaseID.value };
  }

  /** Load the record: the list's can be minutes old. */
  async #refresh() {
    try {
      this.update(await this.#api.getSlide(this.imageId, this.#closed.signal));
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#showError(error, () => this.#refresh());
    }
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    void this.#send(null);
  }

  /**
   * Save the typed IDs and a status. A double click saves once.
   * @param {string} status
   */
  #setStatus(status) {
    const now = performance.now();
    const since = now - (this.#setAt.get(status) ?? -Infinity);
    this.#setAt.set(status, now);
    if (since < DOUBLE_CLICK_MS) return;
    void this.#send(status).finally(() => this.#setAt.set(status, performance.now()));
  }

  /** Confirm that the IDs in the inputs are correct. */
  async #confirmIds() {
    const { SlideID, CaseID } = this.#typed;
    await this.#send(null, { SlideID: rules.idOf(SlideID), CaseID: rules.idOf(CaseID) });
  }

  /**
   * Save the typed IDs and a status.
   * @param {string | null} status
   * @param {Edit} [edit]
   */
  async #send(status, edit = rules.editOf(this.#seen, this.#typed, status)) {
    if (this.#saving) return;
    this.#chosenStatus = status;
    this.#parts.notice.replaceChildren();
    this.#parts.conflict.replaceChildren();
    if (Object.keys(edit).length === 0) return;
    this.#saving = true;
    this.#showResult("Saving…");
    try {
      const now = await this.#sendAndMerge(edit);
      if (now) {
        const known = this.#seen.ImportWarnings ?? [];
        const warnings = (now.ImportWarnings ?? []).filter((warning) => !known.includes(warning)).map(sentence);
        this.#chosenStatus = null;
        this.update(now);
        this.#showResult([edit.Status ? `Saved: ${statusText(edit.Status)}.` : "Saved.", ...warnings].join(" "));
      }
    } catch (error) {
      this.#chosenStatus = null;
      this.#showResult("");
      this.#showError(error, () => this.#send(status));
    } finally {
      this.#saving = false;
      this.#render();
      const focused = document.activeElement;
      const disabled = focused instanceof HTMLButtonElement && focused.disabled;
      if (disabled || !this.#dialog.contains(focused)) this.#statusGroup.focus(); // keep the focus near the button
    }
  }

  /**
   * Send the edit. If only other fields of the record have changed, send it again with the new version.
   * @param {Edit} edit
   * @returns {Promise<Slide | null>} the edited record; null if the user must decide about a conflict first
   */
  async #sendAndMerge(edit) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#api.updateSlide(this.imageId, this.#seen.Version, edit);
      } catch (error) {
        const now = error instanceof RequestError ? error.current : null;
        if (!now) throw error;
        const { differences } = rules.rebase(this.#seen, this.#typed, now, this.#chosenStatus);
        if (differences.length === 0 && attempt >= MAX_ATTEMPTS) throw error;
        this.update(now);
        if (differences.length) {
          this.#showConflict(differences);
          this.#showResult("Not saved.");
          return null;
        }
        // the edit was saved, and only its response was lost
        if (rules.isDone(edit, now)) return now;
      }
    }
  }

  /** Close the dialog. Ask first if there are unsaved changes. */
  #close() {
    if (Object.keys(rules.editOf(this.#seen, this.#typed)).length === 0) {
      this.#dialog.close();
      return;
    }
    const keep = button("Keep editing", () => {
      this.#parts.notice.replaceChildren();
      this.#inputs.SlideID.focus();
    });
    const discard = button("Discard", () => this.#dialog.close());
    const text = { title: "Not saved yet", detail: "If you close the dialog now, your changes are lost." };
    this.#parts.notice.replaceChildren(message(text, keep, discard));
    keep.focus();
  }

  /**
   * @param {unknown} error
   * @param {() => void} retry
   */
  #showError(error, retry) {
    const tryAgain = button("Try again", () => {
      this.#parts.notice.replaceChildren();
      this.#inputs.SlideID.focus();
      retry();
    });
    this.#parts.notice.replaceChildren(message(describe(error), tryAgain));
    this.#parts.notice.scrollIntoView({ block: "nearest" });
  }

  /** @param {Difference[]} differences */
  #showConflict(differences) {
    const mine = button("Overwrite with mine", () => void this.#send(this.#chosenStatus));
    const current = button("Use the current values", () => this.#useCurrent());
    const box = parts.conflictMessage(differences, mine, current);
    this.#parts.conflict.replaceChildren(box);
    if (document.activeElement?.tagName !== "INPUT") box.focus(); // not a button: the Enter key may still be down
    box.scrollIntoView({ block: "nearest" });
  }

  #useCurrent() {
    this.#chosenStatus = null;
    for (const field of rules.ID_FIELDS) this.#inputs[field].value = this.#seen[field] ?? "";
    this.#parts.conflict.replaceChildren();
    this.#showResult("These are the current values.");
    this.#render();
    this.#inputs.SlideID.focus();
  }

  /** @param {string} text */
  #showResult(text) {
    this.#parts.result.textContent = text;
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  #find(selector) {
    return /** @type {HTMLElement} */ (this.#dialog.querySelector(selector));
  }

  /** Show the record everywhere but in the inputs. */
  #render() {
    const slide = this.#seen;
    const { badges, facts, scan, source, hint, removal } = this.#parts;
    const dirty = Object.keys(rules.editOf(slide, this.#typed)).length > 0;
    const editable = rules.isEditable(slide);
    this.#save.disabled = !dirty || !editable;
    for (const field of rules.ID_FIELDS) {
      this.#inputs[field].readOnly = !editable;
      const removesId = Boolean(slide[field]) && rules.idOf(this.#inputs[field].value) === null;
      this.#find(`#review-${field}-warning`).textContent = removesId
        ? `Saving removes the ${rules.fieldInSentence(field)}.`
        : "";
    }
    this.#find(".dialog-title").textContent = nameOf(slide);
    this.#find("#review-SlideID-hint").textContent = parts.barcodeText(slide);
    badges.replaceChildren(...parts.badgesOf(slide));
    facts.replaceChildren(...parts.importAndSendingLines(slide));
    scan.textContent = parts.scanText(slide);

    source.textContent = parts.sourceText(slide);
    this.#confirm.disabled = !rules.isConfirmable(slide, this.#typed);
    const asTyped = rules.asTyped(slide, this.#typed);
    const next = rules.nextStatuses(asTyped);
    for (const [status, choice] of this.#statuses) {
      const text = parts.statusAction(status, slide);
      choice.disabled = !next.includes(status);
      const saves = dirty && !choice.disabled;
      choice.textContent = saves ? `Save and ${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
    }
    hint.textContent = rules.notSendable(asTyped) ?? "";

    const operations = rules.removals(slide);
    for (const [operation, choice] of this.#removals) {
      choice.disabled = !operations.includes(/** @type {Operation} */ (operation));
    }
    const state = removalState(slide);
    removal.className = `removal ${state?.state ?? "soft"}`;
    removal.textContent = state?.text ?? (operations.length === 0 ? parts.noOperationsText(slide) : "");
  }

  /** @param {"SlideID" | "CaseID"} field */
  #input(field) {
    return /** @type {HTMLInputElement} */ (
      element("input", {
        id: `review-${field}`,
        type: "text",
        autocomplete: "off",
        autocapitalize: "off",
        spellcheck: "false",
        "aria-describedby": `review-${field}-hint review-${field}-warning`,
        input: () => this.#render(),
      })
    );
  }

  /**
   * @param {"SlideID" | "CaseID"} field
   * @param {string} hint
   */
  #field(field, hint) {
    return element(
      "div",
      { class: "field" },
      element("label", { for: `review-${field}` }, rules.FIELD_NAMES[field]),
      this.#inputs[field],
      element("p", { id: `review-${field}-hint`, class: "soft" }, hint),
      element("p", { id: `review-${field}-warning`, class: "field-warning", role: "status" }),
    );
  }
}
