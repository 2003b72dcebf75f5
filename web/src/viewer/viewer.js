// The viewer: one slide in OpenSeadragon, with scale bar, magnification, tools and information.

import { button, definitions, imageFrom, message } from "../dom.js";
import { TITLES, describe, sentence } from "../api/errors.js";
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
 * @typedef {import("../review/actions.js").ReviewDesk} ReviewDesk
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("../route.js").View} View
 */

/** Screen pixels per slide pixel at most: beyond this there is nothing more to see. */
const MAX_IMAGE_ZOOM = 4;
/**
 * Tiles are drawn at no less than this share of their size. Just above a half: at exactly a half, where the
 * magnification buttons lead, the next coarser level fits pixel for pixel and is a quarter of the tiles.
 */
const MIN_PIXEL_RATIO = 0.51;
const SCALE_BAR_MAX_PX = 180;
const TILE_RETRIES = 2;
const TILE_RETRY_DELAY_MS = 1_000;
/** Longer than the API asks a busy server for one: it has a limit of its own for each request. */
const TILE_TIMEOUT_MS = 180_000;
/** Tiles that a busy server never gave are asked for again, all at once, after this. */
const TILES_AGAIN_MS = 30_000;
/** Enough to fill HTTP/2's lanes, few enough that tiles left behind do not queue before those in view. */
const PARALLEL_TILES = 12;
const NAVIGATOR_MAX_PX = { width: 180, height: 150 };
const ZOOM_STEP = 1.5;
const BACKDROP_KEY = "vsv.backdrop";

export class SlideViewer {
  #page;
  #find;
  #api;
  #desk;
  #onViewChange;
  /** @type {HTMLElement & {osd?: any}} */
  #stage;
  /** @type {any} the OpenSeadragon viewer while a slide is open */
  #osd = null;
  /** @type {Slide | null} */
  #slide = null;
  #opening = new AbortController();
  /** @type {Map<string, any>} tiles that failed for good, by address */
  #failedTiles = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #tilesAgain;
  /** @type {{error: unknown, view: View | null} | null} why there is nothing to look at, and where one looked */
  #refused = null;
  #watch;

  /** @type {string | null} the slide that is open or being opened */
  imageId = null;

  /**
   * @param {HTMLElement} page
   * @param {Api} api
   * @param {ReviewDesk | null} desk null for those who only look
   * @param {(view: View) => void} onViewChange called when panning or zooming has come to rest
   */
  constructor(page, api, desk, onViewChange) {
    this.#page = page;
    this.#find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
    this.#api = api;
    this.#desk = desk;
    this.#onViewChange = onViewChange;
    this.#stage = this.#find("#viewer");
    this.#watch = new Watch(
      api,
      () => (this.#slide ? [this.#slide] : []),
      ([slide]) => slide && this.update(slide),
    );
    if (desk) this.#find("#slide-facts").before(button("Review", () => this.#slide && desk.review(this.#slide)));
    page.dataset.backdrop = localStorage.getItem(BACKDROP_KEY) ?? "dark";

    const actions = {
      "zoom-in": () => this.#zoomBy(ZOOM_STEP),
      "zoom-out": () => this.#zoomBy(1 / ZOOM_STEP),
      home: () => this.#goHome(),
      rotate: () => this.#osd?.viewport.rotateBy(90),
      backdrop: () => this.#switchBackdrop(),
      "full-screen": () => (document.fullscreenElement ? document.exitFullscreen() : page.requestFullscreen()),
      info: () => this.#toggleInfo(),
      "retry-tiles": () => this.#retryTiles(),
    };
    for (const [action, act] of Object.entries(actions)) {
      this.#find(`[data-action="${action}"]`).addEventListener("click", act);
    }
    for (const buttons of [".tools", ".magnifier"]) {
      // a click leaves the keyboard where it was: on the slide
      this.#find(buttons).addEventListener("mousedown", (event) => event.preventDefault());
    }
    this.#find("#macro").addEventListener("toggle", () => this.#showAssociatedImage("macro"));
    window.addEventListener("online", () => this.#retryTiles());
  }

  /**
   * Opens a slide, in place of one that is open.
   * @param {string} imageId
   * @param {View | null} view where to look; the whole slide if null
   * @returns {Promise<Slide | null>} its record; null when it could not be opened, which the page then says
   */
  async open(imageId, view) {
    this.close();
    this.imageId = imageId;
    this.#toggleInfo(this.#page.clientWidth > 1000);
    const { signal } = this.#opening;
    const status = this.#find("#viewer-message");
    status.textContent = "Opening the slide…";
    const described = this.#api.getDescriptor(imageId, signal);
    described.catch(() => {}); // where both fail, it is the record's failure that tells more
    try {
      const slide = await this.#api.getSlide(imageId, signal);
      this.#slide = slide;
      this.#page.toggleAttribute("data-open", true);
      this.#showInfo(slide);
      this.#showMagnifications(slide);
      const descriptor = await described;
      status.replaceChildren();
      this.#start(descriptor, view);
    } catch (error) {
      if (signal.aborted) return null;
      this.#refuse(error, view);
    }
    this.#follow();
    return this.#slide;
  }

  /**
   * Takes note of what the record is now.
   * @param {Slide} slide that is open
   */
  update(slide) {
    const known = this.#slide;
    if (slide.ImageID !== this.imageId || !known || (slide.Version ?? 0) < (known.Version ?? 0)) return;
    const imported = this.#refused !== null && slide.ImportStatus !== known.ImportStatus;
    if (imported || whereabouts(slide) !== whereabouts(known)) {
      void this.open(slide.ImageID, this.#image() ? this.#view() : null);
      return;
    }
    this.#slide = slide;
    this.#showInfo(slide);
    if (this.#refused) this.#showRefusal();
    this.#follow();
  }

  /** Closes the slide and gives back what it held. */
  close() {
    this.#opening.abort();
    this.#opening = new AbortController();
    this.#takeDown();
    this.#watch.stop();
    this.#slide = null;
    this.#refused = null;
    this.imageId = null;
    this.#page.removeAttribute("data-open");
    this.#page.removeAttribute("data-refused");
    for (const selector of ["#viewer-message", "#slide-facts", "#slide-label", "#slide-macro", "#magnification"]) {
      this.#find(selector).replaceChildren();
    }
    /** @type {HTMLDetailsElement} */ (this.#find("#macro")).open = false;
  }

  /**
   * Looks at a place of the slide that is open.
   * @param {View} view
   */
  look(view) {
    const image = this.#image();
    if (!image) return;
    const { viewport } = this.#osd;
    viewport.setRotation(view.rotation, true);
    viewport.zoomTo(image.imageToViewportZoom(view.zoom), null, true);
    viewport.panTo(image.imageToViewportCoordinates(view.x, view.y), true);
    viewport.applyConstraints(true);
  }

  /** Technicians see what comes of what they have asked for. */
  #follow() {
    if (this.#desk) this.#watch.start();
  }

  /**
   * Takes the picture down and says why. What is known of the slide stays.
   * @param {unknown} error
   * @param {View | null} view where one looked, or wanted to
   */
  #refuse(error, view) {
    this.#refused = { error, view };
    this.#takeDown();
    this.#page.toggleAttribute("data-refused", true);
    this.#showRefusal();
  }

  #takeDown() {
    this.#osd?.destroy();
    this.#osd = null;
    delete this.#stage.osd;
    delete this.#stage.dataset.viewerReady;
    this.#page.removeAttribute("data-loading");
    clearTimeout(this.#tilesAgain);
    this.#failedTiles.clear();
    this.#showFailedTiles();
  }

  #showRefusal() {
    const { error, view } = this.#refused ?? {};
    const imageId = this.imageId ?? "";
    const slide = this.#slide;
    const desk = this.#desk;
    const actions = [button("Try again", () => void this.open(imageId, view ?? null))];
    if (desk && slide && removals(slide).includes("RESTORE")) {
      actions.unshift(button(`${OPERATIONS.RESTORE.verb}…`, () => void desk.remove("RESTORE", [slide])));
    }
    const text = message(refusal(slide, error), ...actions);
    const place = this.#find("#viewer-message");
    if (!place.firstElementChild?.isEqualNode(text)) place.replaceChildren(text); // else the keyboard may be in it
  }

  /**
   * @param {Descriptor} descriptor
   * @param {View | null} view
   */
  #start(descriptor, view) {
    const onRefused = (/** @type {unknown} */ error) => {
      if (this.#osd === osd) this.#refuse(error, this.#image() ? this.#view() : view);
    };
    const osd = OpenSeadragon({
      element: this.#stage,
      drawer: "canvas", // draws alike everywhere; WebGL is several times slower where it is emulated (remote desktops)
      tileSources: [tileSource(descriptor, this.#api, this.#opening.signal, onRefused)],
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      ...navigatorSize(descriptor),
      navigatorAutoFade: false,
      navigatorOpacity: 1,
      navigatorBackground: "#29292d",
      navigatorBorderColor: "transparent",
      navigatorDisplayRegionColor: "#00805a" /* a colour that stains do not have */,
      maxZoomPixelRatio: MAX_IMAGE_ZOOM,
      minZoomImageRatio: 0.6,
      visibilityRatio: 0.3,
      minPixelRatio: MIN_PIXEL_RATIO,
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
      if (view) this.look(view);
      this.#showOptics();
      const image = this.#image();
      image.addHandler("fully-loaded-change", (/** @type {any} */ { fullyLoaded }) => {
        this.#page.toggleAttribute("data-loading", !fullyLoaded);
      });
      image.whenFullyLoaded(() => afterPaint(() => this.#osd === osd && (this.#stage.dataset.viewerReady = "true")));
      osd.canvas.focus({ preventScroll: true });
    });
    for (const event of ["animation", "animation-finish", "resize"]) osd.addHandler(event, () => this.#showOptics());
    osd.addHandler("animation-finish", () => this.#onViewChange(this.#view()));
    osd.addHandler("canvas-key", (/** @type {any} */ event) => this.#onKey(event));
    osd.addHandler("tile-loaded", (/** @type {any} */ { tile }) => {
      if (this.#failedTiles.delete(tile.getUrl())) this.#showFailedTiles();
    });
    osd.addHandler("tile-load-failed", (/** @type {any} */ { tile, tries, message: why }) => {
      if (tries <= TILE_RETRIES) return; // it is tried again
      this.#failedTiles.set(tile.getUrl(), tile);
      this.#showFailedTiles();
      if (why !== TITLES.busy) return;
      clearTimeout(this.#tilesAgain);
      this.#tilesAgain = setTimeout(() => this.#retryTiles(), TILES_AGAIN_MS);
    });

    osd.canvas.setAttribute("role", "application");
    osd.canvas.setAttribute(
      "aria-label",
      "Slide image. Arrow keys move, plus and minus zoom, 0 shows the whole slide, R rotates, 1 to 6 set the magnification.",
    );
  }

  /** @returns {any} the slide in OpenSeadragon's world */
  #image() {
    return this.#osd?.world.getItemAt(0);
  }

  /** @returns {View} */
  #view() {
    const { viewport } = this.#osd;
    const image = this.#image();
    const { x, y } = image.viewportToImageCoordinates(viewport.getCenter());
    return { x, y, zoom: image.viewportToImageZoom(viewport.getZoom()), rotation: (viewport.getRotation() + 360) % 360 };
  }

  /** Brings scale bar and magnification in line with what is on the screen now. */
  #showOptics() {
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

    this.#osd.drawer.setImageSmoothingEnabled(imageZoom < 1.01); // beyond 1:1 show the pixels as they are
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
    if (code === "KeyF") event.preventDefaultAction = true; // a mirrored slide misleads
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
    for (const tile of this.#failedTiles.values()) tile.exists = true; // OpenSeadragon had given them up
    this.#failedTiles.clear();
    this.#showFailedTiles();
    this.#osd?.world.resetItems();
  }
}

/**
 * @param {Slide} slide
 * @returns {string | null} where its file has gone, if it has
 */
function whereabouts({ Status }) {
  return Status === "TRANSFERRED" || Status === "DELETED" ? Status : null;
}

/**
 * The overview takes the slide's own shape.
 * @param {Descriptor} descriptor
 */
function navigatorSize({ width, height }) {
  const scale = Math.min(NAVIGATOR_MAX_PX.width / width, NAVIGATOR_MAX_PX.height / height);
  return { navigatorWidth: `${width * scale}px`, navigatorHeight: `${height * scale}px` };
}

/** @param {() => void} act */
function afterPaint(act) {
  requestAnimationFrame(() => requestAnimationFrame(act));
}

/**
 * @param {Slide | null} slide what is known of it
 * @param {unknown} error
 * @returns {{title: string, detail: string}}
 */
function refusal(slide, error) {
  const said = describe(error);
  const removal = slide && removalState(slide);
  if (removal) return { title: removal.text, detail: said.detail };
  if (slide?.Status === "DELETED") return { title: "Deleted", detail: "The slide's record is all that is left." };
  if (slide?.Status === "TRANSFERRED") return { title: "Archived", detail: said.detail };
  if (slide?.ImportStatus === "FAILED") {
    return { title: "The import failed", detail: sentence(slide.ImportError || "no reason was recorded") };
  }
  return said;
}
