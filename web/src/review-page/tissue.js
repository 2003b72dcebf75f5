// The tissue on the review page: the slide in OpenSeadragon, with the next slide ready behind it.

import { button, element, message } from "../dom.js";
import { describe, sentence } from "../api/errors.js";
import { isViewable } from "../record.js";
import { scaleBar } from "../viewer/scale-bar.js";
import { SlideView } from "../viewer/slide-view.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../record.js").Slide} Slide
 */

const ZOOM_STEP = 1.5;
const SCALE_BAR_MAX_PX = 140;

/** A place for one slide. */
class Pane {
  #api;
  #opening = new AbortController();
  #stage = element("div", { class: "tissue-pane" });
  view;
  /** @type {string | null} */
  imageId = null;
  /** Resolved when tissue is drawn; rejected if it cannot be. @type {Promise<void>} */
  drawn = Promise.resolve();

  /**
   * @param {Api} api
   * @param {HTMLElement} parent
   */
  constructor(api, parent) {
    this.#api = api;
    this.view = new SlideView(this.#stage, api);
    this.view.addEventListener("opening", () => {
      this.view.osd.canvas.setAttribute("aria-label", "The slide's tissue. Arrow keys move, plus and minus zoom.");
    });
    this.view.addEventListener("key", (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      if (!detail.originalEvent.key.startsWith("Arrow")) detail.preventDefaultAction = true; // they are the page's keys
    });
    parent.append(this.#stage);
  }

  set shown(/** @type {boolean} */ shown) {
    this.#stage.toggleAttribute("data-shown", shown);
  }

  /**
   * Load a slide.
   * @param {string} imageId
   */
  open(imageId) {
    this.close();
    this.imageId = imageId;
    this.drawn = this.#open(imageId, this.#opening.signal);
    this.drawn.catch(() => {}); // the page shows it when the slide is shown
  }

  close() {
    this.#opening.abort();
    this.#opening = new AbortController();
    this.view.close();
    this.imageId = null;
  }

  /**
   * @param {string} imageId
   * @param {AbortSignal} signal
   */
  async #open(imageId, signal) {
    const descriptor = await this.#api.getDescriptor(imageId, signal);
    await this.view.open(descriptor, null, signal, { navigator: false, focus: false });
    signal.throwIfAborted();
    await new Promise((resolve, reject) => {
      this.view.addEventListener("ready", () => resolve(undefined), { once: true, signal });
      this.view.addEventListener("conflict", (event) => reject(/** @type {CustomEvent} */ (event).detail), { signal });
      this.view.addEventListener(
        "failed-tiles",
        (event) => {
          if (/** @type {CustomEvent} */ (event).detail > 0) reject(new Error("Tiles could not be loaded."));
        },
        { signal },
      );
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }
}

export class Tissue {
  #stage = element("div", { class: "tissue-stage" });
  #notice = element("div", { class: "tissue-notice", role: "status" });
  #line = element("span", { class: "tissue-scale-line" });
  #length = element("span");
  #scale = element("div", { class: "tissue-scale", hidden: true }, this.#line, this.#length);
  #pane;
  /** The next slide's. */
  #next;
  /** @type {Slide | null} */
  #slide = null;

  /** @param {Api} api */
  constructor(api) {
    this.#pane = new Pane(api, this.#stage);
    this.#next = new Pane(api, this.#stage);
    for (const pane of [this.#pane, this.#next]) {
      pane.view.addEventListener("zoom", () => pane === this.#pane && this.#showScale());
    }
    const tool = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ act) => {
      const control = button(text, act);
      control.setAttribute("aria-label", title);
      control.title = title;
      return control;
    };
    const tools = element(
      "div",
      { class: "tissue-tools", role: "group", "aria-label": "View" },
      tool("+", "Zoom in (+)", () => this.zoomBy(ZOOM_STEP)),
      tool("−", "Zoom out (−)", () => this.zoomBy(1 / ZOOM_STEP)),
      tool("0", "Whole slide (0)", () => this.goHome()),
    );
    this.element = element("div", { class: "tissue" }, this.#stage, this.#notice, this.#scale, tools);
  }

  /**
   * Show a slide.
   * @param {Slide} slide
   * @returns {Promise<void>} resolved when tissue is drawn, or when a message says why not
   */
  async show(slide) {
    const isShown = this.#pane.imageId === slide.ImageID;
    this.#slide = slide;
    if (isShown && isViewable(slide)) return;
    if (this.#next.imageId === slide.ImageID) [this.#pane, this.#next] = [this.#next, this.#pane];
    const pane = this.#pane;
    pane.shown = true;
    this.#next.shown = false;
    this.#scale.hidden = true;
    this.#notice.replaceChildren();
    if (!isViewable(slide)) {
      pane.close();
      this.#notice.replaceChildren(message(absence(slide)));
      return;
    }
    if (pane.imageId !== slide.ImageID) pane.open(slide.ImageID);
    const { drawn } = pane;
    const waiting = setTimeout(() => (this.#notice.textContent = "Loading the tissue…"), 300);
    try {
      await drawn;
      if (pane.drawn !== drawn || pane !== this.#pane) return;
      this.#notice.replaceChildren();
      this.#showScale();
    } catch (error) {
      if (pane.drawn !== drawn || pane !== this.#pane) return;
      const again = button("Try again", () => {
        pane.close();
        void this.show(slide);
      });
      this.#notice.replaceChildren(message(describe(error), again));
    } finally {
      clearTimeout(waiting);
    }
  }

  /**
   * Open the next slide behind the one that is shown.
   * @param {string} imageId
   */
  prepare(imageId) {
    if (this.#next.imageId !== imageId && this.#pane.imageId !== imageId) this.#next.open(imageId);
  }

  close() {
    this.#pane.close();
    this.#next.close();
    this.#slide = null;
    this.#notice.replaceChildren();
    this.#scale.hidden = true;
  }

  /** @param {number} factor */
  zoomBy(factor) {
    this.#pane.view.zoomBy(factor);
  }

  goHome() {
    this.#pane.view.goHome();
  }

  #showScale() {
    const { imageZoom } = this.#pane.view;
    const mppUm = this.#slide?.MPP;
    this.#scale.hidden = !imageZoom || !mppUm;
    if (!imageZoom || !mppUm) return;
    const { text, widthPx } = scaleBar(mppUm, imageZoom, SCALE_BAR_MAX_PX);
    this.#line.style.width = `${widthPx}px`;
    this.#length.textContent = text;
  }
}

/**
 * Explain why a slide has no tissue to show.
 * @param {Slide} slide
 */
function absence(slide) {
  if (slide.Status === "DELETED") return { title: "Deleted", detail: "Only the slide's record remains." };
  if (slide.ImportStatus === "FAILED") {
    return { title: "The import failed", detail: sentence(slide.ImportError || "no reason was recorded") };
  }
  return { title: "Not imported yet", detail: "The tissue can be seen once the import has begun." };
}
