// The viewer: one slide in OpenSeadragon, with scale bar, magnification, tools and information.

import { button, definitions, imageFrom, message } from "../dom.js";
import { TITLES, describe, sentence } from "../api/errors.js";
import { Detail, detailField, standardPixelRatio } from "./detail.js";
import { formatMagnification, imageZoomAt, magnificationSteps } from "./magnification.js";
import { factsOf } from "../record.js";
import { OPERATIONS, removalState } from "../review/removal.js";
import { removals } from "../review/review.js";
import { scaleBar } from "./scale-bar.js";
import { tileSource } from "./tile-source.js";
import { Watch } from "../watch.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../api/api.js").Descriptor} Descriptor
 * @typedef {import("../review/actions.js").ReviewActions} ReviewActions
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../route.js").View} View
 */

/** Maximum zoom, in screen pixels per slide pixel. More would show no more detail. */
const MAX_IMAGE_ZOOM = 4;
/**
 * Tiles are drawn at this share of their size or larger, in device pixels. It is just above one half: at exactly one
 * half, which the magnification buttons set, the next coarser level fits pixel for pixel and has a quarter of the tiles.
 */
const MIN_PIXEL_RATIO = 0.51;
const SCALE_BAR_MAX_PX = 180;
const TILE_RETRIES = 2;
const TILE_RETRY_DELAY_MS = 1_000;
/** Longer than the API repeats the request for a tile; each single request has its own timeout. */
const TILE_TIMEOUT_MS = 180_000;
/** After this time all tiles that a busy server refused are requested again. */
const BUSY_TILES_RETRY_MS = 30_000;
/** Enough for parallel HTTP/2 streams, and so few that tiles out of view do not delay those in view. */
const PARALLEL_TILES = 12;
const NAVIGATOR_MAX_PX = { width: 180, height: 150 };
const ZOOM_STEP = 1.5;
const BACKDROP_KEY = "vsv.backdrop";

export class SlideViewer {
  #page;
  #find;
  #api;
  #actions;
  #onViewChange;
  /** @type {HTMLElement & {osd?: any}} */
  #stage;
  /** @type {any} the OpenSeadragon viewer while a slide is open */
  #osd = null;
  /** @type {Detail | null} of the slide that is open */
  #detail = null;
  /** @type {Slide | null} */
  #slide = null;
  #opening = new AbortController();
  /** @type {Map<string, any>} tiles that could not be loaded, by URL */
  #failedTiles = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #busyTilesTimer;
  /** @type {{error: unknown, view: View | null} | null} why the slide cannot be shown, and the view that was shown */
  #failure = null;
  #watch;

  /** @type {string | null} the slide that is open or opening */
  imageId = null;

  /**
   * @param {HTMLElement} page
   * @param {Api} api
   * @param {ReviewActions | null} actions null for users who only view
   * @param {(view: View) => void} onViewChange called when panning or zooming has ended
   */
  constructor(page, api, actions, onViewChange) {
    this.#page = page;
    this.#find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
    this.#api = api;
    this.#actions = actions;
    this.#onViewChange = onViewChange;
    this.#stage = this.#find("#viewer");
    this.#watch = new Watch(
      api,
      () => (this.#slide ? [this.#slide] : []),
      ([slide]) => slide && this.update(slide),
    );
    if (actions) {
      this.#find("#slide-facts").before(button("Review", () => this.#slide && actions.review(this.#slide)));
    }
    this.#find("#slide-facts").after(detailField((choice) => this.#detail?.choose(choice)));
    page.dataset.backdrop = localStorage.getItem(BACKDROP_KEY) ?? "dark";

    const handlers = {
      "zoom-in": () => this.#zoomBy(ZOOM_STEP),
      "zoom-out": () => this.#zoomBy(1 / ZOOM_STEP),
      home: () => this.#goHome(),
      rotate: () => this.#osd?.viewport.rotateBy(90),
      backdrop: () => this.#switchBackdrop(),
      "full-screen": () => (document.fullscreenElement ? document.exitFullscreen() : page.requestFullscreen()),
      info: () => this.#toggleInfo(),
      "retry-tiles": () => this.#retryTiles(),
    };
    for (const [action, handler] of Object.entries(handlers)) {
      this.#find(`[data-action="${action}"]`).addEventListener("click", handler);
    }
    for (const buttons of [".tools", ".magnifier"]) {
      // a click leaves the focus on the slide
      this.#find(buttons).addEventListener("mousedown", (event) => event.preventDefault());
    }
    this.#find("#macro").addEventListener("toggle", () => this.#showAssociatedImage("macro"));
    window.addEventListener("online", () => this.#retryTiles());
  }

  /**
   * Open a slide, and close the one that is open.
   * @param {string} imageId
   * @param {View | null} view null for the whole slide
   * @returns {Promise<Slide | null>} its record; null if it could not be loaded, in which case the page shows an error
   */
  async open(imageId, view) {
    this.close();
    this.imageId = imageId;
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
      const descriptor = await descriptorRequest;
      status.replaceChildren();
      this.#start(descriptor, view);
    } catch (error) {
      if (signal.aborted) return null;
      this.#fail(error, view);
    }
    this.#watchRecord();
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
      void this.open(slide.ImageID, this.#image() ? this.#view() : null);
      return;
    }
    this.#slide = slide;
    this.#showInfo(slide);
    if (this.#failure) this.#showFailure();
    this.#watchRecord();
  }

  /** Close the slide and release its resources. */
  close() {
    this.#opening.abort();
    this.#opening = new AbortController();
    this.#destroyViewer();
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
    const image = this.#image();
    if (!image) return;
    const { viewport } = this.#osd;
    viewport.setRotation(view.rotation, true);
    viewport.zoomTo(image.imageToViewportZoom(view.zoom), null, true);
    viewport.panTo(image.imageToViewportCoordinates(view.x, view.y), true);
    viewport.applyConstraints(true);
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
    this.#destroyViewer();
    this.#page.toggleAttribute("data-failed", true);
    this.#showFailure();
  }

  #destroyViewer() {
    this.#osd?.destroy();
    this.#osd = null;
    this.#detail = null;
    delete this.#stage.osd;
    delete this.#stage.dataset.viewerReady;
    this.#page.removeAttribute("data-loading");
    clearTimeout(this.#busyTilesTimer);
    this.#failedTiles.clear();
    this.#showFailedTiles();
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

  /**
   * @param {Descriptor} descriptor
   * @param {View | null} view
   */
  #start(descriptor, view) {
    const onConflict = (/** @type {unknown} */ error) => {
      if (this.#osd === osd) this.#fail(error, this.#image() ? this.#view() : view);
    };
    const osd = OpenSeadragon({
      element: this.#stage,
      drawer: "canvas", // the same result everywhere; emulated WebGL (remote desktops) is several times slower
      tileSources: [tileSource(descriptor, this.#api, this.#opening.signal, onConflict)],
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      ...navigatorSize(descriptor),
      navigatorAutoFade: false,
      navigatorOpacity: 1,
      navigatorBackground: "#29292d",
      navigatorBorderColor: "transparent",
      navigatorDisplayRegionColor: "#00805a" /* a colour that no stain has */,
      maxZoomPixelRatio: MAX_IMAGE_ZOOM,
      minZoomImageRatio: 0.6,
      visibilityRatio: 0.3,
      minPixelRatio: standardPixelRatio(MIN_PIXEL_RATIO), // until this.#detail decides
      animationTime: 0.6,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      imageLoaderLimit: PARALLEL_TILES,
      tileRetryMax: TILE_RETRIES,
      tileRetryDelay: TILE_RETRY_DELAY_MS,
      timeout: TILE_TIMEOUT_MS,
    });
    this.#osd = osd;
    this.#stage.osd = osd;

    osd.addOnceHandler("open", () => {
      if (view) this.setView(view);
      this.#showZoom();
      const image = this.#image();
      this.#detail = new Detail(osd, image, MIN_PIXEL_RATIO);
      image.addHandler("fully-loaded-change", (/** @type {any} */ { fullyLoaded }) => {
        this.#page.toggleAttribute("data-loading", !fullyLoaded);
      });
      image.whenFullyLoaded(() => afterPaint(() => this.#osd === osd && (this.#stage.dataset.viewerReady = "true")));
      osd.canvas.focus({ preventScroll: true });
    });
    for (const event of /** @type {const} */ (["animation", "animation-finish", "resize"])) {
      osd.addHandler(event, () => this.#showZoom());
    }
    osd.addHandler("animation-finish", () => this.#onViewChange(this.#view()));
    osd.addHandler("canvas-key", (/** @type {any} */ event) => this.#onKey(event));
    osd.addHandler("tile-loaded", (/** @type {any} */ { tile }) => {
      if (this.#failedTiles.delete(tile.getUrl())) this.#showFailedTiles();
    });
    osd.addHandler("tile-load-failed", (/** @type {any} */ { tile, tries, message: reason }) => {
      if (tries <= TILE_RETRIES) return; // OpenSeadragon will retry
      this.#failedTiles.set(tile.getUrl(), tile);
      this.#showFailedTiles();
      if (reason !== TITLES.busy) return;
      clearTimeout(this.#busyTilesTimer);
      this.#busyTilesTimer = setTimeout(() => this.#retryTiles(), BUSY_TILES_RETRY_MS);
    });

    osd.canvas.setAttribute("role", "application");
    osd.canvas.setAttribute(
      "aria-label",
      "Slide image. Arrow keys move, plus and minus zoom, 0 shows the whole slide, R rotates, 1 to 6 set the magnification.",
    );
  }

  /** @returns {any} the slide as OpenSeadragon's TiledImage */
  #image() {
    return this.#osd?.world.getItemAt(0);
  }

  /** @returns {View} */
  #view() {
    const { viewport } = this.#osd;
    const image = this.#image();
    const { x, y } = image.viewportToImageCoordinates(viewport.getCenter());
    return {
      x,
      y,
      zoom: image.viewportToImageZoom(viewport.getZoom()),
      rotation: (viewport.getRotation() + 360) % 360,
    };
  }

  /** Show scale bar and magnification for the current zoom. */
  #showZoom() {
    const image = this.#image();
    if (!image || !this.#slide) return;
    const { viewport } = this.#osd;
    const { MPP, AppMag } = this.#slide;
    const imageZoom = image.viewportToImageZoom(viewport.getZoom(true));

    const bar = this.#find("#scale-bar");
    bar.hidden = !MPP;
    this.#find("#scale-unknown").hidden = Boolean(MPP);
    if (MPP) {
      const { text, widthPx } = scaleBar(MPP, imageZoom, SCALE_BAR_MAX_PX);
      this.#find("#scale-bar-line").style.width = `${widthPx}px`;
      this.#find("#scale-bar-text").textContent = text;
    }

    this.#find("#magnification").textContent = formatMagnification(imageZoom, AppMag);
    const smallest = image.viewportToImageZoom(viewport.getMinZoom());
    const steps = /** @type {HTMLButtonElement[]} */ ([...this.#find("#magnifications").children]);
    const current = steps.find((step) => Math.abs(imageZoom / Number(step.dataset.imageZoom) - 1) < 0.01);
    for (const step of steps) {
      step.disabled = Number(step.dataset.imageZoom) < smallest;
      step.setAttribute("aria-pressed", String(step === current));
    }

    this.#osd.drawer.setImageSmoothingEnabled(imageZoom < 1.01); // beyond 1:1 show single pixels
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
        const step = button(text, () => this.#zoomTo(imageZoom));
        step.title = title;
        step.dataset.imageZoom = String(imageZoom);
        return step;
      }),
    );
  }

  /** @param {number} imageZoom */
  #zoomTo(imageZoom) {
    const image = this.#image();
    if (!image) return;
    this.#osd.viewport.zoomTo(image.imageToViewportZoom(imageZoom));
    this.#osd.viewport.applyConstraints();
  }

  /** @param {number} factor */
  #zoomBy(factor) {
    this.#osd?.viewport.zoomBy(factor);
    this.#osd?.viewport.applyConstraints();
  }

  #goHome() {
    this.#osd?.viewport.setRotation(0);
    this.#osd?.viewport.goHome();
  }

  /** @param {any} event OpenSeadragon's `canvas-key` */
  #onKey(event) {
    const { code } = event.originalEvent;
    if (code === "KeyF") event.preventDefaultAction = true; // no mirroring: a mirrored slide misleads
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1];
    const step = digit && magnificationSteps(this.#slide?.AppMag)[Number(digit) - 1];
    if (step) this.#zoomTo(imageZoomAt(step, this.#slide?.AppMag ?? 1));
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

  #showFailedTiles() {
    const count = this.#failedTiles.size;
    this.#find("#tile-notice").hidden = count === 0;
    this.#find("#tile-count").textContent = `${count} ${count === 1 ? "tile" : "tiles"} could not be loaded.`;
  }

  #retryTiles() {
    if (this.#failedTiles.size === 0) return;
    for (const tile of this.#failedTiles.values()) tile.exists = true; // else it is not requested
    this.#failedTiles.clear();
    this.#showFailedTiles();
    this.#osd?.world.resetItems();
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
 * Give the navigator the slide's aspect ratio.
 * @param {Descriptor} descriptor
 */
function navigatorSize({ width, height }) {
  const scale = Math.min(NAVIGATOR_MAX_PX.width / width, NAVIGATOR_MAX_PX.height / height);
  return { navigatorWidth: `${width * scale}px`, navigatorHeight: `${height * scale}px` };
}

/** @param {() => void} callback */
function afterPaint(callback) {
  requestAnimationFrame(() => requestAnimationFrame(callback));
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
