// The viewer: one slide in OpenSeadragon, with scale bar, magnification, tools and information.

import { button, definitions, imageFrom, message } from "../dom.js";
import { describe, sentence } from "../api/errors.js";
import { CaseStrip } from "./case-strip.js";
import { detailField } from "./detail.js";
import { formatMagnification, imageZoomAt, magnificationSteps } from "./magnification.js";
import { factsOf } from "../record.js";
import { OPERATIONS, removalState } from "../review/removal.js";
import { removals } from "../review/review.js";
import { SCALE_BAR_MAX_PX, scaleBar } from "./scale-bar.js";
import { SlideView } from "./slide-view.js";
import { Toolbar } from "./toolbar.js";
import { Watch } from "../watch.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../review/actions.js").ReviewActions} ReviewActions
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../route.js").View} View
 */

export class SlideViewer {
  #page;
  #find;
  #api;
  #actions;
  #onViewChange;
  #view;
  #toolbar;
  /** @type {Slide | null} */
  #slide = null;
  #opening = new AbortController();
  /** @type {{error: unknown, view: View | null} | null} why the slide cannot be shown, and the view that was shown */
  #failure = null;
  #watch;
  #caseStrip;

  /** @type {string | null} the slide that is open or opening */
  imageId = null;

  /**
   * @param {HTMLElement} page
   * @param {Api} api
   * @param {ReviewActions | null} actions null for users who only view
   * @param {(view: View) => void} onViewChange called when panning or zooming has ended
   * @param {import("../keys.js").Keys} keys
   */
  constructor(page, api, actions, onViewChange, keys) {
    this.#page = page;
    this.#find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
    this.#api = api;
    this.#actions = actions;
    this.#onViewChange = onViewChange;
    this.#view = this.#createView();
    this.#watch = new Watch(
      api,
      () => (this.#slide ? [this.#slide] : []),
      ([slide]) => slide && this.update(slide),
    );
    this.#caseStrip = new CaseStrip(page, api, keys);
    if (actions) {
      this.#find("#slide-facts").before(button("Review", () => this.#slide && actions.review(this.#slide)));
    }
    this.#find("#slide-facts").after(detailField((choice) => this.#view.chooseDetail(choice)));
    this.#toolbar = new Toolbar(page, this.#view, keys, () => this.#slide, { info: () => this.#toggleInfo() });
    this.#find("#macro").addEventListener("toggle", () => this.#showAssociatedImage("macro"));
  }

  /**
   * Open a slide, and close the one that is open.
   * @param {string} imageId
   * @param {View | null} view null for the whole slide
   * @returns {Promise<Slide | null>} its record; null if it could not be loaded, in which case the page shows an error
   */
  async open(imageId, view) {
    this.#close();
    this.imageId = imageId;
    this.#caseStrip.opening(imageId);
    this.#toggleInfo(this.#page.clientWidth > 1000);
    const { signal } = this.#opening;
    const status = this.#find("#viewer-message");
    status.textContent = "Opening the slide…";
    const descriptorRequest = this.#api.getDescriptor(imageId, signal);
    descriptorRequest.catch(() => {}); // if both requests fail, the record's error is shown
    try {
      const slide = await this.#api.getSlide(imageId, signal);
      this.#slide = slide;
      this.#toolbar.open(slide);
      this.#page.toggleAttribute("data-open", true);
      this.#showInfo(slide);
      this.#showMagnifications(slide);
      void this.#caseStrip.show(slide);
      const descriptor = await descriptorRequest;
      status.replaceChildren();
      await this.#view.open(descriptor, view, signal);
    } catch (error) {
      if (signal.aborted) return null;
      this.#fail(error, view);
    }
    this.#watchRecord();
    return this.#slide;
  }

  /** @returns {Slide | null} the open slide's record */
  get slide() {
    return this.#slide;
  }

  /**
   * Show the current record of the open slide.
   * @param {Slide} slide
   */
  update(slide) {
    const known = this.#slide;
    if (slide.ImageID !== this.imageId || !known || (slide.Version ?? 0) < (known.Version ?? 0)) return;
    const imported = this.#failure !== null && slide.ImportStatus !== known.ImportStatus;
    if (imported || removedStatus(slide) !== removedStatus(known)) {
      void this.open(slide.ImageID, this.#view.view);
      return;
    }
    this.#slide = slide;
    this.#showInfo(slide);
    if (this.#failure) this.#showFailure();
    this.#watchRecord();
  }

  /** Close the slide and its case, and release their resources. */
  close() {
    this.#close();
    this.#caseStrip.clear();
  }

  #close() {
    this.#opening.abort();
    this.#opening = new AbortController();
    this.#toolbar.close();
    this.#view.close();
    this.#watch.stop();
    this.#slide = null;
    this.#failure = null;
    this.imageId = null;
    this.#page.removeAttribute("data-open");
    this.#page.removeAttribute("data-failed");
    for (const selector of ["#viewer-message", "#slide-facts", "#slide-label", "#slide-macro", "#magnification"]) {
      this.#find(selector).replaceChildren();
    }
    /** @type {HTMLDetailsElement} */ (this.#find("#macro")).open = false;
  }

  /**
   * Show a view of the open slide.
   * @param {View} view
   */
  setView(view) {
    this.#view.setView(view);
  }

  /** Poll the record for technicians, so that they see the results of their actions. */
  #watchRecord() {
    if (this.#actions) this.#watch.start();
  }

  /**
   * Replace the image by an error message. The slide information stays.
   * @param {unknown} error
   * @param {View | null} view to show again when the slide can be opened
   */
  #fail(error, view) {
    this.#failure = { error, view };
    this.#view.close();
    this.#page.toggleAttribute("data-failed", true);
    this.#showFailure();
  }

  #showFailure() {
    const { error, view } = this.#failure ?? {};
    const imageId = this.imageId ?? "";
    const slide = this.#slide;
    const actions = this.#actions;
    const buttons = [button("Try again", () => void this.open(imageId, view ?? null))];
    if (actions && slide && removals(slide).includes("RESTORE")) {
      buttons.unshift(button(`${OPERATIONS.RESTORE.verb}…`, () => void actions.remove("RESTORE", [slide])));
    }
    const text = message(failureText(slide, error), ...buttons);
    const place = this.#find("#viewer-message");
    if (!place.firstElementChild?.isEqualNode(text)) place.replaceChildren(text); // else it keeps the focus
  }

  #createView() {
    const stage = this.#find("#viewer");
    const view = new SlideView(stage, this.#api);
    const on = (/** @type {string} */ event, /** @type {(detail: any) => void} */ handler) =>
      view.addEventListener(event, (given) => handler(/** @type {CustomEvent} */ (given).detail));
    on("zoom", () => this.#showZoom());
    on("view", () => view.view && this.#onViewChange(view.view));
    on("loading", (loading) => this.#page.toggleAttribute("data-loading", loading));
    on("failed-tiles", (count) => this.#showFailedTiles(count));
    on("conflict", (error) => this.#fail(error, view.view));
    on("opening", () => view.osd.canvas.setAttribute("aria-label", "Slide image. The question mark lists the keys."));
    return view;
  }

  /** Show scale bar and magnification for the current zoom. */
  #showZoom() {
    if (!this.#slide) return;
    const { MPP, AppMag } = this.#slide;
    const { imageZoom, minImageZoom } = this.#view;

    const bar = this.#find("#scale-bar");
    bar.hidden = !MPP;
    this.#find("#scale-unknown").hidden = Boolean(MPP);
    if (MPP) {
      const { text, widthPx } = scaleBar(MPP, imageZoom, SCALE_BAR_MAX_PX);
      this.#find("#scale-bar-line").style.width = `${widthPx}px`;
      this.#find("#scale-bar-text").textContent = text;
    }

    this.#find("#magnification").textContent = formatMagnification(imageZoom, AppMag);
    const steps = /** @type {HTMLButtonElement[]} */ ([...this.#find("#magnifications").children]);
    const current = steps.find((step) => Math.abs(imageZoom / Number(step.dataset.imageZoom) - 1) < 0.01);
    const rotation = Math.round(((this.#view.view?.rotation ?? 0) + Number.EPSILON) * 10) / 10;
    this.#find("#rotation").hidden = rotation === 0;
    this.#find("#rotation-text").textContent = `${rotation}°`;
    for (const step of steps) {
      step.disabled = Number(step.dataset.imageZoom) < minImageZoom;
      step.setAttribute("aria-pressed", String(step === current));
    }
  }

  /** @param {Slide} slide */
  #showMagnifications(slide) {
    const appMag = slide.AppMag ?? 1;
    const steps = magnificationSteps(slide.AppMag).map((step, index) => ({
      text: `${step}×`,
      title: `${step}× (key ${index + 1})`,
      imageZoom: imageZoomAt(step, appMag),
    }));
    steps.push({ text: "1:1", title: "One slide pixel per screen pixel", imageZoom: 1 });
    this.#find("#magnifications").replaceChildren(
      ...steps.map(({ text, title, imageZoom }) => {
        const step = button(text, () => this.#view.zoomTo(imageZoom));
        step.title = title;
        step.dataset.imageZoom = String(imageZoom);
        return step;
      }),
    );
  }

  /** Forget what is remembered of single slides: called when the user signs out. */
  forget() {
    this.#toolbar.forget();
  }

  /** @param {boolean} [open] */
  #toggleInfo(open = this.#find("#slide-info").hidden) {
    this.#find("#slide-info").hidden = !open;
    this.#find('[data-action="info"]').setAttribute("aria-expanded", String(open));
  }

  /** @param {Slide} slide */
  #showInfo(slide) {
    this.#find("#slide-facts").replaceChildren(definitions(factsOf(slide)));
    void this.#showAssociatedImage("label");
  }

  /** @param {"label" | "macro"} name */
  async #showAssociatedImage(name) {
    const place = this.#find(`#slide-${name}`);
    if (!this.imageId || place.hasChildNodes()) return;
    const { signal } = this.#opening;
    place.textContent = "…";
    try {
      const blob = await this.#api.getAssociatedImage(this.imageId, name, signal);
      const image = blob && (await imageFrom(blob, `The slide's ${name}`));
      if (!signal.aborted) place.replaceChildren(image ?? `No ${name} image`);
    } catch {
      if (!signal.aborted) place.replaceChildren(`The ${name} could not be loaded`);
    }
  }

  /** @param {number} count */
  #showFailedTiles(count) {
    this.#find("#tile-notice").hidden = count === 0;
    this.#find("#tile-count").textContent = `${count} ${count === 1 ? "tile" : "tiles"} could not be loaded.`;
  }
}

/**
 * @param {Slide} slide
 * @returns {string | null} its status if its file has been removed
 */
function removedStatus({ Status }) {
  return Status === "TRANSFERRED" || Status === "DELETED" ? Status : null;
}

/**
 * Explain why a slide cannot be shown.
 * @param {Slide | null} slide its record, if it could be loaded
 * @param {unknown} error
 * @returns {{title: string, detail: string}}
 */
function failureText(slide, error) {
  const text = describe(error);
  const removal = slide && removalState(slide);
  if (removal) return { title: removal.text, detail: text.detail };
  if (slide?.Status === "DELETED") return { title: "Deleted", detail: "Only the slide's record remains." };
  if (slide?.Status === "TRANSFERRED") return { title: "Archived", detail: text.detail };
  if (slide?.ImportStatus === "FAILED") {
    return { title: "The import failed", detail: sentence(slide.ImportError || "no reason was recorded") };
  }
  return text;
}
