// The technicians' review of one slide: its IDs beside its label, its status, what becomes of its file, its history.

import { openDialog } from "./dialog.js";
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
 * @typedef {import("./review.js").Typed} Typed
 */

/** What a technician may set; the buttons keep these places. */
const STATUSES = ["GOOD", "BAD", "SEND"];
/** What can not be undone comes last. @type {Operation[]} */
const REMOVALS = ["TRANSFER", "RESTORE", "DELETE"];
/** Edits of a record whose other fields change at the same time go through at one of these, or the person decides. */
const ATTEMPTS = 4;

export class ReviewDialog {
  #api;
  #tell;
  #dialog;
  #remove;
  #history;
  #watch;
  /** @type {Slide} the record as it was seen last */
  #seen;
  /** @type {string | null} a status that was chosen, and refused since the record had changed */
  #wanted = null;
  #saving = false;
  #closed = new AbortController();
  #inputs;
  #parts = {
    badges: element("span", { class: "review-badges" }),
    notice: element("div", { class: "review-notice" }),
    conflict: element("div", { class: "review-conflict" }),
    facts: element("div", { class: "review-facts" }),
    source: element("p", { class: "review-source soft" }),
    hint: element("p", { class: "review-hint soft" }),
    removal: element("p", { class: "removal", role: "status" }),
    said: element("p", { class: "review-said", role: "status" }),
  };
  #save = /** @type {HTMLButtonElement} */ (element("button", { type: "submit", class: "button primary" }, "Save"));
  #confirm = button("Confirm IDs", () => void this.#confirmIds());
  /** @type {Map<string, HTMLButtonElement>} */
  #statuses;
  /** @type {Map<string, HTMLButtonElement>} */
  #removals;
  #statusGroup;
  /** @type {Map<string, number>} when each status was set last, or tried to be */
  #setAt = new Map();

  /**
   * Opens it.
   * @param {Api} api
   * @param {Slide} slide
   * @param {(slides: Slide[]) => void} tell called with the record when it has changed
   * @param {(operation: Operation, slide: Slide) => void} remove
   */
  constructor(api, slide, tell, remove) {
    this.#api = api;
    this.#tell = tell;
    this.#remove = remove;
    this.#seen = slide;
    this.#history = new History(api, slide.ImageID);
    this.#watch = new Watch(api, () => [this.#seen], ([now]) => now && !this.#saving && this.update(now));
    this.#inputs = { SlideID: this.#input("SlideID"), CaseID: this.#input("CaseID") };

    this.#statuses = new Map(STATUSES.map((status) => [status, button("", () => this.#setStatus(status))]));
    this.#removals = new Map(
      REMOVALS.map((each) => [each, button(`${OPERATIONS[each].verb}…`, () => this.#remove(each, this.#seen))]),
    );
    for (const [status, choice] of this.#statuses) choice.dataset.status = status;
    for (const [operation, act] of this.#removals) act.dataset.operation = operation;
    this.#removals.get("DELETE")?.classList.add("danger");
    this.#confirm.title = "The IDs above are this slide's";
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

    const { badges, notice, conflict, facts, source, hint, removal, said } = this.#parts;
    const close = button("Close", () => this.#leave());
    const form = element(
      "form",
      { class: "review-ids", submit: (/** @type {Event} */ event) => this.#submit(event) },
      this.#field("SlideID", ""),
      this.#field("CaseID", "As a rule the slide ID up to its last hyphen."),
      source,
      element("div", { class: "review-actions review-saving" }, this.#save, this.#confirm, said),
    );
    // Above the buttons nothing comes or goes: they stay under the pointer.
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
    const label = parts.labelView(api, slide, this.#closed.signal);
    const body = element("div", { class: "review-body" }, label, main);
    this.#dialog = openDialog("review", nameOf(slide), [close], body);
    this.#dialog.addEventListener("cancel", (event) => {
      if (event.target !== this.#dialog) return; // a part's own
      event.preventDefault();
      this.#leave();
    });
    this.#dialog.addEventListener("close", () => {
      this.#closed.abort();
      this.#watch.stop();
    });
    for (const field of rules.ID_FIELDS) this.#inputs[field].value = slide[field] ?? "";
    this.#render();
    // where there is no keyboard yet, one that comes up would hide the label
    if (!matchMedia("(pointer: coarse)").matches) this.#inputs.SlideID.select();
    void this.#refresh();
  }

  /** @returns {string} */
  get imageId() {
    return this.#seen.ImageID;
  }

  /**
   * Shows what the record is now; what was typed stays.
   * @param {Slide} now
   * @param {boolean} [telling] whether to tell others of it
   */
  update(now, telling = true) {
    const newer = (now.Version ?? 0) - (this.#seen.Version ?? 0);
    if (!this.#dialog.isConnected || newer < 0) return;
    const { typed, differences } = rules.rebase(this.#seen, this.#typed, now, this.#wanted);
    this.#seen = now;
    for (const field of rules.ID_FIELDS) {
      if (this.#inputs[field].value !== typed[field]) this.#inputs[field].value = typed[field];
    }
    const contested = differences.some(({ mine }) => mine !== undefined);
    if (contested) this.#showConflict(differences);
    this.#render();
    if (newer > 0) this.#history.refresh();
    if (telling) this.#tell([now]);
    this.#watch.start();
  }

  /** @returns {Typed} */
  get #typed() {
    return { SlideID: this.#inputs.SlideID.value, CaseID: this.#inputs.CaseID.value };
  }

  /** The list's record may be minutes old. */
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
   * Saves what was typed, and a status with it: once, however often the button is pressed in a moment.
   * @param {string} status
   */
  #setStatus(status) {
    const now = performance.now();
    const since = now - (this.#setAt.get(status) ?? -Infinity);
    this.#setAt.set(status, now);
    if (since < DOUBLE_CLICK_MS) return;
    void this.#send(status).finally(() => this.#setAt.set(status, performance.now()));
  }

  /** Says of the IDs, as they are or as they were typed, that they are the slide's. */
  async #confirmIds() {
    const { SlideID, CaseID } = this.#typed;
    await this.#send(null, { SlideID: rules.idOf(SlideID), CaseID: rules.idOf(CaseID) });
  }

  /**
   * Saves what was typed, and a status with it.
   * @param {string | null} status
   * @param {Edit} [sent]
   */
  async #send(status, sent = rules.editOf(this.#seen, this.#typed, status)) {
    if (this.#saving) return;
    this.#wanted = status;
    this.#parts.notice.replaceChildren();
    this.#parts.conflict.replaceChildren();
    if (Object.keys(sent).length === 0) return;
    this.#saving = true;
    this.#say("Saving…");
    try {
      const now = await this.#sendOver(sent);
      if (now) {
        const known = this.#seen.ImportWarnings ?? [];
        const news = (now.ImportWarnings ?? []).filter((warning) => !known.includes(warning)).map(sentence);
        this.#wanted = null;
        this.update(now);
        this.#say([sent.Status ? `Saved: ${statusText(sent.Status)}.` : "Saved.", ...news].join(" "));
      }
    } catch (error) {
      this.#wanted = null;
      this.#say("");
      this.#showError(error, () => this.#send(status));
    } finally {
      this.#saving = false;
      this.#render();
      const focused = document.activeElement;
      const off = focused instanceof HTMLButtonElement && focused.disabled;
      if (off || !this.#dialog.contains(focused)) this.#statusGroup.focus(); // what was pressed is off now
    }
  }

  /**
   * Sends the edit; where the record has changed elsewhere only, once more over that.
   * @param {Edit} edit
   * @returns {Promise<Slide | null>} the record with it; null where there is something to decide first
   */
  async #sendOver(edit) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#api.updateSlide(this.imageId, this.#seen.Version, edit);
      } catch (error) {
        const now = error instanceof RequestError ? error.current : null;
        if (!now) throw error;
        const { differences } = rules.rebase(this.#seen, this.#typed, now, this.#wanted);
        if (differences.length === 0 && attempt >= ATTEMPTS) throw error;
        this.update(now);
        if (differences.length) {
          this.#showConflict(differences);
          this.#say("Not saved.");
          return null;
        }
        // an answer that was lost: it is saved already
        if (rules.isDone(edit, now)) return now;
      }
    }
  }

  /** Closes, unless something would be lost by it. */
  #leave() {
    if (Object.keys(rules.editOf(this.#seen, this.#typed)).length === 0) {
      this.#dialog.close();
      return;
    }
    const stay = button("Keep editing", () => {
      this.#parts.notice.replaceChildren();
      this.#inputs.SlideID.focus();
    });
    const discard = button("Discard", () => this.#dialog.close());
    const words = { title: "Not saved yet", detail: "What you typed is lost when you close this now." };
    this.#parts.notice.replaceChildren(message(words, stay, discard));
    stay.focus();
  }

  /**
   * @param {unknown} error
   * @param {() => void} again
   */
  #showError(error, again) {
    const act = button("Try again", () => {
      this.#parts.notice.replaceChildren();
      this.#inputs.SlideID.focus();
      again();
    });
    this.#parts.notice.replaceChildren(message(describe(error), act));
    this.#parts.notice.scrollIntoView({ block: "nearest" });
  }

  /** @param {Difference[]} differences */
  #showConflict(differences) {
    const mine = button("Save mine over it", () => void this.#send(this.#wanted));
    const theirs = button("Take what is there", () => this.#takeTheirs());
    const box = parts.conflictMessage(differences, mine, theirs);
    this.#parts.conflict.replaceChildren(box);
    if (document.activeElement?.tagName !== "INPUT") box.focus(); // on no button: the Enter key may still be down
    box.scrollIntoView({ block: "nearest" });
  }

  #takeTheirs() {
    this.#wanted = null;
    for (const field of rules.ID_FIELDS) this.#inputs[field].value = this.#seen[field] ?? "";
    this.#parts.conflict.replaceChildren();
    this.#say("This is what is there.");
    this.#render();
    this.#inputs.SlideID.focus();
  }

  /** @param {string} text */
  #say(text) {
    this.#parts.said.textContent = text;
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  #find(selector) {
    return /** @type {HTMLElement} */ (this.#dialog.querySelector(selector));
  }

  /** Brings everything but what is typed in line with the record. */
  #render() {
    const slide = this.#seen;
    const { badges, facts, source, hint, removal } = this.#parts;
    const dirty = Object.keys(rules.editOf(slide, this.#typed)).length > 0;
    const editable = rules.isEditable(slide);
    this.#save.disabled = !dirty || !editable;
    for (const field of rules.ID_FIELDS) {
      this.#inputs[field].readOnly = !editable;
      const emptied = Boolean(slide[field]) && rules.idOf(this.#inputs[field].value) === null;
      this.#find(`#review-${field}-emptied`).textContent = emptied
        ? `Saving removes the ${rules.fieldInSentence(field)}.`
        : "";
    }
    this.#find(".dialog-title").textContent = nameOf(slide);
    this.#find("#review-SlideID-hint").textContent = parts.barcodeText(slide);
    badges.replaceChildren(...parts.badgesOf(slide));
    facts.replaceChildren(...parts.factsOf(slide));

    source.textContent = parts.sourceText(slide);
    this.#confirm.disabled = !rules.isConfirmable(slide, this.#typed);
    const asTyped = rules.asTyped(slide, this.#typed);
    const next = rules.nextStatuses(asTyped);
    for (const [status, choice] of this.#statuses) {
      const words = parts.statusAction(status, slide);
      choice.disabled = !next.includes(status);
      const saves = dirty && !choice.disabled;
      choice.textContent = saves ? `Save and ${words.charAt(0).toLowerCase()}${words.slice(1)}` : words;
    }
    hint.textContent = rules.notSendable(asTyped) ?? "";

    const operations = rules.removals(slide);
    for (const [operation, act] of this.#removals) {
      act.disabled = !operations.includes(/** @type {Operation} */ (operation));
    }
    const state = removalState(slide);
    removal.className = `removal ${state?.state ?? "soft"}`;
    removal.textContent = state?.text ?? (operations.length === 0 ? parts.fileless(slide) : "");
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
        "aria-describedby": `review-${field}-hint review-${field}-emptied`,
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
      element("p", { id: `review-${field}-emptied`, class: "emptied", role: "status" }),
    );
  }
}
