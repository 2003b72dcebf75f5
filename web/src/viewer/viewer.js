// The viewer: one slide in OpenSeadragon, with scale bar, magnification, tools and information.

import { AdjustPanel } from "./adjust-panel.js";
import { button, definitions, imageFrom, message } from "../dom.js";
import { describe, sentence } from "../api/errors.js";
import { CaseStrip } from "./case-strip.js";
import { detailField } from "./detail.js";
import { formatMagnification, imageZoomAt, magnificationSteps } from "./magnification.js";
import { factsOf, nameOf } from "../record.js";
import { OPERATIONS, removalState } from "../review/removal.js";
import { formatRoute } from "../route.js";
import { removals } from "../review/review.js";
import { picture, pictureName, save } from "./save-picture.js";
import { turnFreely } from "./rotation.js";
import { scaleBar } from "./scale-bar.js";
import { SlideView } from "./slide-view.js";
import { Watch } from "../watch.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../review/actions.js").ReviewActions} ReviewActions
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../route.js").View} View
 */

const SCALE_BAR_MAX_PX = 180;
const ZOOM_STEP = 1.5;
const BACKDROP_KEY = "vsv.backdrop";
const NAVIGATOR_KEY = "vsv.navigator";
const FINE_ROTATION = 5;
const PAN_PX = 60;
/** @type {Record<string, [x: number, y: number]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NOTICE_MS = 6_000;

export class SlideViewer {
  #page;
  #find;
  #api;
  #actions;
  #onViewChange;
  #view;
  #adjust;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noticeTimer;
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
    this.#adjust = new AdjustPanel((adjusted) => {
      this.#find('[data-action="adjust"]').toggleAttribute("data-on", adjusted);
    });
    this.#adjust.adjust(this.#view);
    this.#find(".stage").append(this.#adjust.element);
    turnFreely(this.#view);
    this.#toggleNavigator(localStorage.getItem(NAVIGATOR_KEY) !== "hidden");
    page.dataset.backdrop = localStorage.getItem(BACKDROP_KEY) ?? "dark";

    const handlers = {
      "zoom-in": () => this.#view.zoomBy(ZOOM_STEP),
      "zoom-out": () => this.#view.zoomBy(1 / ZOOM_STEP),
      home: () => this.#view.goHome(),
      rotate: () => this.#view.rotateBy(90),
      "reset-rotation": () => this.#view.resetRotation(),
      adjust: () => this.#toggleAdjust(),
      navigator: () => this.#toggleNavigator(),
      backdrop: () => this.#switchBackdrop(),
      "copy-link": () => void this.#copyLink(),
      "save-picture": () => void this.#savePicture(),
      "full-screen": () => (document.fullscreenElement ? document.exitFullscreen() : page.requestFullscreen()),
      info: () => this.#toggleInfo(),
      "retry-tiles": () => this.#view.retryTiles(),
    };
    for (const [action, handler] of Object.entries(handlers)) {
      this.#find(`[data-action="${action}"]`).addEventListener("click", handler);
    }
    keys.add("Slide", () => this.imageId !== null && this.#view.image !== null, this.#keys(handlers));
    for (const buttons of [".tools", ".magnifier"]) {
      // a click leaves the focus on the slide
      this.#find(buttons).addEventListener("mousedown", (event) => event.preventDefault());
    }
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
    this.#adjust.open(imageId);
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

  /**
   * @param {Record<string, () => void>} handlers of the buttons
   * @returns {import("../keys.js").Key[]}
   */
  #keys(handlers) {
    const view = this.#view;
    const magnify = (/** @type {KeyboardEvent} */ { key }) => {
      const step = magnificationSteps(this.#slide?.AppMag)[Number(key) - 1];
      if (step) view.zoomTo(imageZoomAt(step, this.#slide?.AppMag ?? 1));
    };
    const pan = (/** @type {KeyboardEvent} */ { key }) => {
      const [x, y] = DIRECTIONS[key];
      view.panBy(x * PAN_PX, y * PAN_PX);
    };
    return [
      { keys: Object.keys(DIRECTIONS), text: "move", repeat: true, run: pan },
      { keys: ["+", "="], text: "zoom in", repeat: true, run: handlers["zoom-in"] },
      { keys: ["-"], text: "zoom out", repeat: true, run: handlers["zoom-out"] },
      { keys: ["0"], text: "whole slide", run: handlers.home },
      { keys: [..."123456"], text: "magnification, from the lowest", run: magnify },
      { keys: ["r"], text: "rotate by 90°", run: handlers.rotate },
      { keys: ["R"], text: "rotate back by 90°", run: () => view.rotateBy(-90) },
      { keys: [","], text: "rotate left by 5°", repeat: true, run: () => view.rotateBy(-FINE_ROTATION) },
      { keys: ["."], text: "rotate right by 5°", repeat: true, run: () => view.rotateBy(FINE_ROTATION) },
      { keys: ["c"], text: "brightness, contrast, gamma", run: handlers.adjust },
      { keys: ["v"], text: "navigator", run: handlers.navigator },
      { keys: ["b"], text: "light or dark background", run: handlers.backdrop },
      { keys: ["l"], text: "copy the link", run: handlers["copy-link"] },
      { keys: ["p"], text: "save the picture", run: handlers["save-picture"] },
      { keys: ["f"], text: "full screen", run: handlers["full-screen"] },
      { keys: ["i"], text: "slide information", run: handlers.info },
    ];
  }

  #toggleAdjust() {
    const panel = this.#adjust.element;
    panel.hidden = !panel.hidden;
    this.#find('[data-action="adjust"]').setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) panel.querySelector("input")?.focus();
  }

  /** @param {boolean} [shown] */
  #toggleNavigator(shown = this.#page.hasAttribute("data-no-navigator")) {
    this.#page.toggleAttribute("data-no-navigator", !shown);
    this.#find('[data-action="navigator"]').setAttribute("aria-pressed", String(shown));
    localStorage.setItem(NAVIGATOR_KEY, shown ? "shown" : "hidden");
  }

  async #copyLink() {
    if (this.imageId === null) return;
    const link = location.origin + location.pathname + formatRoute(this.imageId, this.#view.view);
    try {
      await navigator.clipboard.writeText(link);
      this.#notify("The link to this view is copied. It works for everybody who may sign in.");
    } catch {
      this.#notify(`The browser does not allow copying. The link is: ${link}`);
    }
  }

  async #savePicture() {
    if (!this.#slide || !this.#view.image) return;
    const { MPP } = this.#slide;
    const bar = MPP ? scaleBar(MPP, this.#view.imageZoom, SCALE_BAR_MAX_PX) : null;
    const name = pictureName(nameOf(this.#slide));
    try {
      save(await picture(this.#view, { curve: this.#adjust.curve, bar }), name);
      this.#notify(`The picture is saved as ${name}.`);
    } catch (error) {
      this.#notify(describe(error).detail);
    }
  }

  /** @param {string} text */
  #notify(text) {
    const notice = this.#find("#viewer-notice");
    notice.textContent = text;
    notice.hidden = false;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (notice.hidden = true), NOTICE_MS);
  }

  /** Forget what is remembered of single slides: called when the user signs out. */
  forget() {
    this.#adjust.forget();
  }

  #switchBackdrop() {
    const backdrop = this.#page.dataset.backdrop === "dark" ? "light" : "dark";
    this.#page.dataset.backdrop = backdrop;
    localStorage.setItem(BACKDROP_KEY, backdrop);
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
