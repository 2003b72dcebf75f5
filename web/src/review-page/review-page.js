// The review page: one slide after the other, with tissue, label, macro, IDs and history. Edits are saved in the
// background while the next slide is shown.

import { render } from "lit-html";
import { Ahead } from "./ahead.js";
import { JudgementBar } from "./judgement-bar.js";
import { Photographs } from "./photographs.js";
import { NewSlides } from "./queue.js";
import { reviewKeys } from "./review-keys.js";
import { reviewTemplate } from "./review-view.js";
import { Tissue } from "./tissue.js";
import { describe, sentence } from "../api/errors.js";
import { button, message } from "../dom.js";
import { DOUBLE_CLICK_MS } from "../double-click.js";
import { REVIEW_REASONS, statusText } from "../record.js";
import { History } from "../review/history.js";
import { Judgements, typedIn } from "../review/judgements.js";
import * as parts from "../review/review-parts.js";
import * as rules from "../review/review.js";
import { Watch } from "../watch.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../review/judgements.js").Judgement} Judgement
 * @typedef {import("../review/review.js").Edit} Edit
 * @typedef {import("../review/review.js").Operation} Operation
 * @typedef {import("./queue.js").Queue} Queue
 *
 * @typedef {object} Callbacks
 * @property {(slides: Slide[]) => void} update called with records that have changed
 * @property {(operation: Operation, slide: Slide) => void} remove
 * @property {(imageId: string) => void} move called to show another slide: changes the address, and calls `open`
 * @property {(slide: Slide) => void} show called when a slide's record is shown
 * @property {() => void} leave called to return to the list
 */

/** A slide can be judged when it has been shown for this time: nobody has looked at it before. */
const GUARD_MS = 250;
/** A slide whose tissue is not drawn within this time can be judged all the same. */
const TISSUE_WAIT_MS = 4_000;

export class ReviewPage {
  #root;
  #api;
  #callbacks;
  #judgements;
  #bar;
  #ahead;
  #tissue;
  #watch;
  /** @type {Queue} */
  #queue;
  /** @type {string | null} the slide that is shown, or being loaded */
  imageId = null;
  /** @type {Slide | null} its record */
  #slide = null;
  #typed = { SlideID: "", CaseID: "" };
  #caseFollows = true;
  #ready = false;
  #reasons = false;
  #note = "";
  #result = "";
  /** @type {Node | null} a question or a conflict: nothing can be judged before it is answered */
  #question = null;
  /** @type {Node | null} */
  #notice = null;
  /** @type {Set<string>} IDs that contradict the barcode, and that the user has confirmed */
  #confirmed = new Set();
  /** @type {History | null} */
  #history = null;
  #opening = new AbortController();
  #judgedAt = -Infinity;
  #photographs = new Photographs(() => this.#render());

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} barRoot the place of the last judgements; it stays when the list is shown
   * @param {Api} api
   * @param {import("../keys.js").Keys} keys
   * @param {Callbacks} callbacks
   */
  constructor(root, barRoot, api, keys, callbacks) {
    this.#root = root;
    this.#api = api;
    this.#callbacks = callbacks;
    this.#judgements = new Judgements(api, (judgement) => this.#judged(judgement));
    this.#bar = new JudgementBar(barRoot, this.#judgements, (imageId) => callbacks.move(imageId));
    this.#ahead = new Ahead(api);
    this.#tissue = new Tissue(api);
    this.#queue = new NewSlides(api);
    this.#watch = new Watch(
      api,
      () => (this.#slide ? [this.#slide] : []),
      ([now]) => now && callbacks.update([now]),
    );
    keys.add(
      "Review",
      () => this.imageId !== null,
      reviewKeys({
        asksReason: () => this.#reasons,
        judge: (status) => this.#judge(status),
        askReason: () => this.#askReason(),
        chooseReason: (index) => this.#chooseReason(index),
        go: (step) => this.#unlessDirty(() => void this.#go(step)),
        undo: () => this.#undo(),
        editIds: () => this.#root.querySelector("input")?.select(),
        enlarge: (name) => this.#photographs.enlarge(name),
        zoomBy: (factor) => this.#tissue.zoomBy(factor),
        goHome: () => this.#tissue.goHome(),
        escape: () => this.#escape(),
      }),
    );
    root.addEventListener("keydown", (event) => this.#onKey(event), { capture: true });
    window.addEventListener("beforeunload", (event) => {
      if (this.#judgements.unsaved || (this.#slide && this.#isDirty())) event.preventDefault();
    });
  }

  /**
   * Show a slide.
   * @param {string} imageId
   */
  open(imageId) {
    if (imageId !== this.imageId) void this.#show(imageId);
  }

  /**
   * Set the slides that the user goes through.
   * @param {Queue | null} queue null: the new slides
   */
  setQueue(queue) {
    this.#queue = queue ?? new NewSlides(this.#api);
  }

  /** @returns {Slide | null} the record that is shown */
  get slide() {
    return this.#slide;
  }

  /** Called when another page is shown. Edits are saved all the same. */
  close() {
    if (this.imageId === null) return;
    this.#opening.abort();
    this.imageId = null;
    this.#slide = null;
    this.#watch.stop();
    this.#tissue.close();
    this.#ahead.keep([]);
    render("", this.#root);
  }

  /** Remove everything, including the last judgements: they contain IDs. */
  reset() {
    this.close();
    this.#judgements.clear();
    this.#confirmed.clear();
    this.#queue = new NewSlides(this.#api);
    this.#bar.render();
  }

  /**
   * Show the current record of the slide, and keep what the user has typed.
   * @param {Slide} now
   */
  update(now) {
    this.#ahead.update(now);
    const seen = this.#slide;
    const newer = (now.Version ?? 0) - (seen?.Version ?? 0);
    if (now.ImageID !== this.imageId || !seen || newer < 0) return;
    this.#typed = rules.rebase(seen, this.#typed, now).typed;
    this.#slide = now;
    if (newer > 0) this.#history?.refresh();
    void this.#tissue.show(now);
    this.#watch.start();
    this.#render();
  }

  /** @param {string} imageId */
  async #show(imageId) {
    this.#opening.abort();
    this.#opening = new AbortController();
    const { signal } = this.#opening;
    this.#watch.stop();
    this.imageId = imageId;
    this.#slide = null;
    this.#ready = false;
    this.#reasons = false;
    this.#result = "";
    this.#question = null;
    this.#notice = null;
    this.#history = new History(this.#api, imageId);
    const loaded = this.#ahead.load(imageId);
    const isStale = this.#ahead.isStale(imageId);
    this.#photographs.show(loaded.images, signal);
    if (loaded.record) this.#showRecord(loaded.record, signal);
    this.#render();
    this.#takeFocus();
    try {
      const record = await loaded.request;
      if (signal.aborted) return;
      if (!this.#slide) this.#showRecord(record, signal);
      if (isStale) this.#callbacks.update([await this.#api.getSlide(imageId, signal)]);
    } catch (error) {
      if (signal.aborted) return;
      this.#notice = message(
        describe(error),
        button("Try again", () => void this.#show(imageId)),
      );
      this.#render();
    }
  }

  /**
   * @param {Slide} slide
   * @param {AbortSignal} signal
   */
  #showRecord(slide, signal) {
    this.#slide = slide;
    this.#typed = typedIn(slide, {});
    this.#caseFollows = rules.followsSlideId(slide);
    const unsaved = this.#judgements.unsavedOf(slide.ImageID);
    if (unsaved?.state === "conflict") this.#showConflict(unsaved);
    else if (unsaved) this.#typed = typedIn(slide, unsaved.edit);
    this.#callbacks.show(slide);
    const drawn = this.#tissue.show(slide);
    this.#watch.start();
    this.#render();
    void this.#becomeReady(drawn, signal);
    void this.#prepareNext(drawn, signal);
  }

  /**
   * Accept judgements once the slide has been shown.
   * @param {Promise<void>} drawn
   * @param {AbortSignal} signal
   */
  async #becomeReady(drawn, signal) {
    await Promise.all([wait(GUARD_MS), Promise.race([drawn, wait(TISSUE_WAIT_MS)])]);
    if (signal.aborted) return;
    this.#ready = true;
    this.#render();
  }

  /**
   * Request the next slide ahead.
   * @param {Promise<void>} drawn
   * @param {AbortSignal} signal
   */
  async #prepareNext(drawn, signal) {
    const imageId = this.imageId ?? "";
    try {
      const next = await this.#queue.neighbour(imageId, 1);
      await drawn;
      if (signal.aborted) return;
      this.#ahead.keep([imageId, ...(next ? [next] : [])]);
      this.#render();
      if (next && (await this.#ahead.isViewable(next)) && !signal.aborted) this.#tissue.prepare(next);
    } catch {
      // it is requested again, and the error shown, when the user goes to the next slide
    }
  }

  /** Go to the next or previous slide. @param {1 | -1} step */
  async #go(step) {
    const from = this.imageId;
    if (from === null) return;
    this.#ready = false;
    try {
      const next = await this.#queue.neighbour(from, step);
      if (this.imageId !== from) return;
      if (next !== null) {
        this.#callbacks.move(next);
        return;
      }
      this.#result = step === 1 ? "This is the last slide." : "This is the first slide.";
    } catch (error) {
      if (this.imageId !== from) return;
      const again = button("Try again", () => void this.#go(step));
      this.#notice = message(describe(error), again);
    }
    void this.#becomeReady(Promise.resolve(), this.#opening.signal);
    this.#render();
  }

  /**
   * Judge the slide, and go to the next.
   * @param {string} status
   * @param {Edit} [reason] of a bad slide
   */
  #judge(status, reason = {}) {
    const slide = this.#slide;
    if (!slide || !this.#canEdit()) return;
    const again = status === slide.Status;
    if (!again && !rules.nextStatuses(rules.asTyped(slide, this.#typed)).includes(status)) return;
    if (again && status === "SEND") return;
    const edit = { ...rules.editOf(slide, this.#typed, status), ...reason };
    this.#askAboutBarcode(slide, edit, () => {
      this.#judgedAt = performance.now();
      this.#reasons = false;
      this.#note = "";
      if (Object.keys(edit).length) this.#save(slide, edit);
      void this.#go(1);
    });
  }

  /** Save the typed IDs, and stay. @param {Edit} [edit] */
  #saveIds(edit) {
    const slide = this.#slide;
    if (!slide || !this.#canEdit()) return;
    const ids = edit ?? rules.editOf(slide, this.#typed);
    if (Object.keys(ids).length === 0) return;
    this.#askAboutBarcode(slide, ids, () => this.#save(slide, ids));
    this.#root.focus();
  }

  /**
   * @param {Slide} slide
   * @param {Edit} edit
   */
  #save(slide, edit) {
    this.#notice = null;
    this.#result = "Saving…";
    this.#judgements.judge(slide, edit);
    this.#bar.render();
    this.#render();
  }

  /**
   * Ask once whether a slide ID is right that contradicts the barcode, then go on.
   * @param {Slide} slide
   * @param {Edit} edit
   * @param {() => void} proceed
   */
  #askAboutBarcode(slide, edit, proceed) {
    const { SlideID } = edit;
    const question = `${slide.ImageID}\n${SlideID}`;
    if (!SlideID || !rules.contradictsBarcode(slide, SlideID) || this.#confirmed.has(question)) {
      proceed();
      return;
    }
    const answer = (/** @type {boolean} */ save) => {
      this.#question = null;
      this.#root.focus();
      if (save) {
        this.#confirmed.add(question);
        proceed();
      } else {
        this.#root.querySelector("input")?.focus();
      }
      this.#render();
    };
    const text = `The label's barcode says “${slide.Barcode?.text}”, and you typed “${SlideID}”.`;
    this.#ask(
      message(
        { title: "Is this slide ID right?", detail: text },
        button(`Save “${SlideID}”`, () => answer(true)),
        button("Correct it", () => answer(false)),
      ),
    );
  }

  /** @param {HTMLElement} question */
  #ask(question) {
    this.#question = question;
    this.#reasons = false;
    question.tabIndex = -1;
    this.#render();
    question.focus(); // not a button: a key may still be down
    question.scrollIntoView({ block: "nearest" });
  }

  /** Show the result of an edit. @param {Judgement} judgement */
  #judged(judgement) {
    const { before, state, now } = judgement;
    const { ImageID } = before;
    if (now) this.#callbacks.update([now]);
    if (ImageID === this.imageId) this.#showResult(judgement);
    else if (state === "conflict" || state === "undone") this.#returnTo(ImageID);
    this.#bar.render();
    this.#render();
  }

  /** @param {Judgement} judgement */
  #showResult(judgement) {
    const { before, edit, state, now, undoing, error } = judgement;
    if (undoing) this.#result = "Undoing…";
    else if (state === "saved" && !error) {
      const known = before.ImportWarnings ?? [];
      const warnings = (now?.ImportWarnings ?? []).filter((warning) => !known.includes(warning)).map(sentence);
      this.#result = [edit.Status ? `Saved: ${statusText(edit.Status)}.` : "Saved.", ...warnings].join(" ");
    } else if (state === "undone") {
      this.#result = `Undone: ${statusText(now?.Status ?? "NEW")}.`;
    } else if (state === "conflict") {
      this.#result = "Not saved.";
      this.#showConflict(judgement);
    } else if (error) {
      this.#result = state === "failed" ? "Not saved." : "Not undone.";
      const again = button("Try again", () => {
        this.#notice = null;
        this.#root.focus();
        if (state === "failed") this.#judgements.retry(judgement);
        else void this.#judgements.undo(judgement);
      });
      this.#notice = message(describe(error), again);
    }
  }

  /** Return to a slide whose edit was not saved or was undone, unless that would disturb the user. */
  #returnTo(/** @type {string} */ imageId) {
    const busy = this.imageId === null || this.#reasons || this.#question || this.#isDirty();
    if (!busy) this.#callbacks.move(imageId);
  }

  /** @param {Judgement} judgement */
  #showConflict(judgement) {
    const { before, edit, now, differences } = judgement;
    if (!now) return;
    const { typed } = rules.rebase(before, typedIn(before, edit), now, edit.Status ?? null);
    this.#slide = now;
    this.#typed = typed;
    const mine = button("Overwrite with mine", () => {
      this.#question = null;
      this.#root.focus();
      const { ReviewReason, ReviewNote } = edit;
      const reason = ReviewReason ? { ReviewReason, ...(ReviewNote ? { ReviewNote } : {}) } : {};
      const slide = this.#slide ?? now;
      this.#save(slide, { ...rules.editOf(slide, this.#typed, edit.Status), ...reason });
    });
    const current = button("Use the current values", () => {
      this.#question = null;
      this.#judgements.drop(now.ImageID);
      this.#typed = typedIn(this.#slide ?? now, {});
      this.#result = "These are the current values.";
      this.#root.focus();
      this.#bar.render();
      this.#render();
    });
    this.#ask(parts.conflictMessage(differences, mine, current));
  }

  /** Return to the list. Ask first if there are unsaved IDs. */
  #leave() {
    this.#unlessDirty(() => this.#callbacks.leave());
  }

  /** @param {() => void} proceed */
  #unlessDirty(proceed) {
    if (!this.#slide || !this.#isDirty()) {
      proceed();
      return;
    }
    const close = (/** @type {() => void} */ then) => () => {
      this.#question = null;
      then();
      this.#render();
    };
    const keep = button(
      "Keep editing",
      close(() => this.#root.querySelector("input")?.focus()),
    );
    const discard = button(
      "Discard",
      close(() => {
        if (this.#slide) this.#typed = typedIn(this.#slide, {});
        this.#root.focus();
        proceed();
      }),
    );
    this.#ask(message({ title: "Not saved yet", detail: "The IDs that you typed are not saved." }, keep, discard));
  }

  /** @returns {boolean} whether the typed IDs differ from the record's */
  #isDirty() {
    return this.#slide !== null && Object.keys(rules.editOf(this.#slide, this.#typed)).length > 0;
  }

  /** @returns {boolean} whether the slide is shown, and nothing of it is being saved or asked */
  #canEdit() {
    const unsaved = this.#judgements.unsavedOf(this.imageId ?? "");
    const isSaving = unsaved !== null && (unsaved.state === "saving" || unsaved.undoing);
    return this.#ready && !this.#question && !isSaving;
  }

  /** Ask for the reason why the slide is bad. */
  #askReason() {
    if (!this.#slide || !this.#canEdit() || this.#reasons) return;
    const { Status, ReviewNote } = this.#slide;
    if (Status !== "BAD" && !rules.nextStatuses(rules.asTyped(this.#slide, this.#typed)).includes("BAD")) return;
    this.#reasons = true;
    this.#note = ReviewNote ?? "";
    this.#render();
    /** @type {HTMLElement} */ (this.#root.querySelector(".review-reasons")).focus();
  }

  /** @param {number} index of the reason, from 0 */
  #chooseReason(index) {
    const reason = /** @type {import("../record.js").ReviewReason[]} */ (Object.keys(REVIEW_REASONS))[index];
    if (!this.#reasons || !reason) return;
    const note = this.#note.trim() || null;
    const noteEdit = note === (this.#slide?.ReviewNote ?? null) ? {} : { ReviewNote: note };
    this.#judge("BAD", { ReviewReason: reason, ...noteEdit });
  }

  #undo() {
    const last = this.#judgements.undoable;
    if (last) void this.#judgements.undo(last);
    else this.#result = "Nothing to undo.";
    this.#render();
  }

  #escape() {
    if (this.#photographs.reduce()) return;
    if (this.#reasons) this.#closeReasons();
    else if (!this.#question) this.#leave();
  }

  #closeReasons() {
    this.#reasons = false;
    this.#render();
    this.#root.focus();
  }

  /** @param {KeyboardEvent} event within the page */
  #onKey(event) {
    const { target } = event;
    const held = event.repeat && (event.key === "Enter" || event.key === " ");
    if (held && target instanceof HTMLButtonElement) event.preventDefault();
    if (!(target instanceof HTMLInputElement)) return;
    const isNote = target.closest(".review-reasons") !== null;
    if (event.key === "Escape" || (event.key === "Enter" && isNote)) {
      event.preventDefault();
      const place = isNote ? this.#root.querySelector(".review-reasons") : this.#root;
      /** @type {HTMLElement} */ (place).focus();
    }
  }

  /** Leave text fields, so that keys work. */
  #takeFocus() {
    const focused = document.activeElement;
    if (!(focused instanceof HTMLButtonElement) || !this.#root.contains(focused)) {
      this.#root.focus({ preventScroll: true });
    }
  }

  /**
   * @param {Event} event
   * @param {() => void} act
   */
  #unlessRepeated(event, act) {
    const { detail } = /** @type {UIEvent} */ (event); // 0: by keyboard
    if (detail > 1 || (detail > 0 && performance.now() - this.#judgedAt < DOUBLE_CLICK_MS)) return;
    act();
  }

  #position() {
    const index = this.#queue.ids.indexOf(this.imageId ?? "");
    return index < 0 ? "" : `${index + 1} of ${this.#queue.ids.length}`;
  }

  #render() {
    if (this.imageId === null) return;
    const ready = this.#canEdit();
    this.#root.toggleAttribute("data-ready", ready && this.#slide !== null);
    this.#root.dataset.imageId = this.imageId;
    const notices = [this.#question, this.#notice].filter((each) => each !== null);
    render(
      reviewTemplate(
        {
          slide: this.#slide,
          typed: this.#typed,
          position: this.#position(),
          ready,
          reasons: this.#reasons,
          note: this.#note,
          result: this.#result,
          notices,
          glass: this.#photographs.all,
          tissue: this.#tissue.element,
          history: this.#history?.element ?? null,
        },
        this.#handlers,
      ),
      this.#root,
    );
  }

  /** @type {import("./review-view.js").Handlers} */
  #handlers = {
    judge: (event) =>
      this.#unlessRepeated(event, () => {
        const { status } = /** @type {HTMLElement} */ (event.currentTarget).dataset;
        if (status === "BAD") this.#askReason();
        else this.#judge(status ?? "");
      }),
    reason: (reason, event) =>
      this.#unlessRepeated(event, () => this.#chooseReason(Object.keys(REVIEW_REASONS).indexOf(reason))),
    type: (event) => this.#type(/** @type {HTMLInputElement} */ (event.target)),
    submit: (event) => {
      event.preventDefault();
      this.#saveIds();
    },
    confirm: () => this.#saveIds({ SlideID: rules.idOf(this.#typed.SlideID), CaseID: rules.idOf(this.#typed.CaseID) }),
    noteTyped: (event) => (this.#note = /** @type {HTMLInputElement} */ (event.target).value),
    go: (step) => this.#unlessDirty(() => void this.#go(step)),
    cancelReasons: () => this.#closeReasons(),
    turn: (name) => this.#photographs.turn(name),
    enlarge: (name) => this.#photographs.enlarge(name),
    remove: (operation) => this.#slide && this.#callbacks.remove(operation, this.#slide),
  };

  /** @param {HTMLInputElement} input */
  #type({ name, value }) {
    if (name === "CaseID") {
      this.#caseFollows = value === "" || value === rules.caseOf(this.#typed.SlideID);
      this.#typed = { ...this.#typed, CaseID: value };
    } else {
      this.#typed = { SlideID: value, CaseID: this.#caseFollows ? rules.caseOf(value) : this.#typed.CaseID };
    }
    this.#render();
  }
}

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
