// The viewer's tools: their buttons, their keys and their panels.

import { AdjustPanel } from "./adjust-panel.js";
import { describe } from "../api/errors.js";
import { imageZoomAt, magnificationSteps } from "./magnification.js";
import { MeasurePanel } from "./measure-panel.js";
import { MeasureTool } from "./measure.js";
import { nameOf } from "../record.js";
import { turnFreely } from "./rotation.js";
import { formatRoute } from "../route.js";
import { picture, pictureName, save } from "./save-picture.js";
import { SCALE_BAR_MAX_PX, scaleBar } from "./scale-bar.js";

/**
 * @typedef {import("../keys.js").Key} Key
 * @typedef {import("../keys.js").Keys} Keys
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./slide-view.js").SlideView} SlideView
 */

const ZOOM_STEP = 1.5;
const BACKDROP_KEY = "vsv.backdrop";
const NAVIGATOR_KEY = "vsv.navigator";
const FINE_ROTATION = 5;
const PAN_PX = 60;
/** @type {Record<string, [x: number, y: number]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NOTICE_MS = 6_000;

export class Toolbar {
  #page;
  #find;
  #view;
  #slide;
  #adjust;
  #measure;
  #measurePanel;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noticeTimer;

  /**
   * @param {HTMLElement} page
   * @param {SlideView} view
   * @param {Keys} keys
   * @param {() => Slide | null} slide returns the open slide's record
   * @param {Record<string, () => void>} actions what other buttons of the page do
   */
  constructor(page, view, keys, slide, actions) {
    this.#page = page;
    this.#find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
    this.#view = view;
    this.#slide = slide;
    this.#adjust = new AdjustPanel((adjusted) => {
      this.#find('[data-action="adjust"]').toggleAttribute("data-on", adjusted);
    });
    this.#adjust.adjust(view);
    this.#measure = new MeasureTool(view);
    this.#measurePanel = new MeasurePanel(
      this.#measure,
      (open) => this.#measureToggled(open),
      (text, done) => void this.#copy(text, done),
    );
    this.#measure.addEventListener("change", () => {
      page.toggleAttribute("data-measuring", this.#measure.kind !== null);
    });
    this.#find(".stage").append(this.#adjust.element, this.#measurePanel.element);
    turnFreely(view);
    this.#toggleNavigator(localStorage.getItem(NAVIGATOR_KEY) !== "hidden");
    page.dataset.backdrop = localStorage.getItem(BACKDROP_KEY) ?? "dark";
    this.#listen(keys, actions);
  }

  /**
   * Begin with a slide, as it was adjusted before.
   * @param {Slide} slide
   */
  open(slide) {
    this.#adjust.open(slide.ImageID);
    this.#measure.reset(slide.MPP);
  }

  /** End with the slide: its measurements are gone. */
  close() {
    this.#measurePanel.toggle(false);
    this.#measure.reset(null);
  }

  /** Forget what is remembered of single slides: called when the user signs out. */
  forget() {
    this.#adjust.forget();
  }

  /**
   * @param {Keys} keys
   * @param {Record<string, () => void>} actions
   */
  #listen(keys, actions) {
    const view = this.#view;
    const handlers = {
      ...actions,
      "zoom-in": () => view.zoomBy(ZOOM_STEP),
      "zoom-out": () => view.zoomBy(1 / ZOOM_STEP),
      home: () => view.goHome(),
      rotate: () => view.rotateBy(90),
      "reset-rotation": () => view.resetRotation(),
      measure: () => this.#measurePanel.toggle(),
      adjust: () => this.#toggleAdjust(),
      navigator: () => this.#toggleNavigator(),
      backdrop: () => this.#switchBackdrop(),
      "copy-link": () => void this.#copyLink(),
      "save-picture": () => void this.#savePicture(),
      "full-screen": () => (document.fullscreenElement ? document.exitFullscreen() : this.#page.requestFullscreen()),
      "retry-tiles": () => view.retryTiles(),
    };
    for (const [action, handler] of Object.entries(handlers)) {
      this.#find(`[data-action="${action}"]`).addEventListener("click", handler);
    }
    for (const buttons of [".tools", ".magnifier"]) {
      // a click leaves the focus on the slide
      this.#find(buttons).addEventListener("mousedown", (event) => event.preventDefault());
    }
    keys.add("Measure", () => this.#measurePanel.isOpen && view.image !== null, this.#measureKeys());
    keys.add("Slide", () => view.image !== null, this.#slideKeys(handlers));
  }

  /** @returns {Key[]} */
  #measureKeys() {
    const tool = this.#measure;
    const cancel = () => (tool.kind ? tool.cancel() : this.#measurePanel.toggle(false));
    return [
      { keys: [" "], text: "set a point in the middle of the view", run: () => tool.addAtCentre() },
      { keys: ["Enter"], text: "end the line or outline", run: () => tool.finish() },
      { keys: ["Backspace"], text: "remove the last point", repeat: true, run: () => tool.removeLastPoint() },
      { keys: ["Escape"], text: "discard it, stop measuring, close the panel", run: cancel },
    ];
  }

  /**
   * @param {Record<string, () => void>} handlers of the buttons
   * @returns {Key[]}
   */
  #slideKeys(handlers) {
    const view = this.#view;
    const magnify = (/** @type {KeyboardEvent} */ { key }) => {
      const { AppMag } = this.#slide() ?? {};
      const step = magnificationSteps(AppMag)[Number(key) - 1];
      if (step) view.zoomTo(imageZoomAt(step, AppMag ?? 1));
    };
    const pan = (/** @type {KeyboardEvent} */ { key }) => {
      const [x, y] = DIRECTIONS[key];
      view.panBy(x * PAN_PX, y * PAN_PX);
      this.#measure.showCrosshair();
    };
    const measure = (/** @type {import("./measurements.js").Kind} */ kind) => {
      this.#measurePanel.toggle(this.#measure.kind !== kind, kind);
      this.#measure.showCrosshair();
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
      { keys: ["m"], text: "measure a length", run: () => measure("length") },
      { keys: ["M"], text: "measure an area", run: () => measure("area") },
      { keys: ["c"], text: "brightness, contrast, gamma", run: handlers.adjust },
      { keys: ["v"], text: "navigator", run: handlers.navigator },
      { keys: ["b"], text: "light or dark background", run: handlers.backdrop },
      { keys: ["l"], text: "copy the link", run: handlers["copy-link"] },
      { keys: ["p"], text: "save the picture", run: handlers["save-picture"] },
      { keys: ["f"], text: "full screen", run: handlers["full-screen"] },
      { keys: ["i"], text: "slide information", run: handlers.info },
    ];
  }

  /** @param {boolean} open */
  #measureToggled(open) {
    this.#find('[data-action="measure"]').setAttribute("aria-expanded", String(open));
    if (open && !this.#adjust.element.hidden) this.#toggleAdjust(); // they have one place
  }

  #toggleAdjust() {
    const panel = this.#adjust.element;
    panel.hidden = !panel.hidden;
    this.#find('[data-action="adjust"]').setAttribute("aria-expanded", String(!panel.hidden));
    if (panel.hidden) return;
    this.#measurePanel.toggle(false);
    panel.querySelector("input")?.focus();
  }

  /** @param {boolean} [shown] */
  #toggleNavigator(shown = this.#page.hasAttribute("data-no-navigator")) {
    this.#page.toggleAttribute("data-no-navigator", !shown);
    this.#find('[data-action="navigator"]').setAttribute("aria-pressed", String(shown));
    localStorage.setItem(NAVIGATOR_KEY, shown ? "shown" : "hidden");
  }

  #switchBackdrop() {
    const backdrop = this.#page.dataset.backdrop === "dark" ? "light" : "dark";
    this.#page.dataset.backdrop = backdrop;
    localStorage.setItem(BACKDROP_KEY, backdrop);
  }

  async #copyLink() {
    const slide = this.#slide();
    if (!slide) return;
    const link = location.origin + location.pathname + formatRoute(slide.ImageID, this.#view.view);
    await this.#copy(link, "The link to this view is copied. It works for everybody who may sign in.");
  }

  /**
   * @param {string} text
   * @param {string} done what the user is told
   */
  async #copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.#notify(done);
    } catch {
      this.#notify(`The browser does not allow copying. Select this text:\n${text}`);
    }
  }

  async #savePicture() {
    const slide = this.#slide();
    if (!slide || !this.#view.image) return;
    const bar = slide.MPP ? scaleBar(slide.MPP, this.#view.imageZoom, SCALE_BAR_MAX_PX) : null;
    const name = pictureName(nameOf(slide));
    const draw = (/** @type {CanvasRenderingContext2D} */ context) => this.#measure.draw(context);
    try {
      save(await picture(this.#view, { curve: this.#adjust.curve, bar, draw }), name);
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
}
