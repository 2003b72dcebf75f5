// One slide in OpenSeadragon: its tiles, its view, and tiles that could not be loaded. It knows no page around it.

import { TITLES } from "../api/errors.js";
import { Detail, standardPixelRatio } from "./detail.js";
import { tileSource } from "./tile-source.js";
import { loadOpenSeadragon } from "./openseadragon.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../api/api.js").Descriptor} Descriptor
 * @typedef {import("../api/errors.js").RequestError} RequestError
 * @typedef {import("./detail.js").DetailChoice} DetailChoice
 * @typedef {import("../route.js").View} View
 */

/** Maximum zoom, in screen pixels per slide pixel. More would show no more detail. */
const MAX_IMAGE_ZOOM = 4;
/**
 * Tiles are drawn at this share of their size or larger, in device pixels. It is just above one half: at exactly one
 * half, which the magnification buttons set, the next coarser level fits pixel for pixel and has a quarter of the tiles.
 */
const MIN_PIXEL_RATIO = 0.51;
const TILE_RETRIES = 2;
const TILE_RETRY_DELAY_MS = 1_000;
/** Longer than the API repeats the request for a tile; each single request has its own timeout. */
const TILE_TIMEOUT_MS = 180_000;
/** After this time all tiles that a busy server refused are requested again. */
const BUSY_TILES_RETRY_MS = 30_000;
/** Enough for parallel HTTP/2 streams, and so few that tiles out of view do not delay those in view. */
const PARALLEL_TILES = 12;
const NAVIGATOR_MAX_PX = { width: 180, height: 150 };

/**
 * Events: `opening` (`osd` is there), `zoom` (zoom, rotation or size has changed), `view` (a movement has ended), `loading` (`detail`: whether
 * tiles are missing), `ready` (the first view is complete and painted), `failed-tiles` (`detail`: how many could not be
 * loaded), `conflict` (`detail`: the error; the file is another one now).
 */
export class SlideView extends EventTarget {
  #stage;
  #api;
  /** @type {any} the OpenSeadragon viewer while a slide is open */
  #osd = null;
  /** @type {Detail | null} of the slide that is open */
  #detail = null;
  /** @type {View | null} what is shown first */
  #firstView = null;
  /** @type {Map<string, any>} tiles that could not be loaded, by URL */
  #failedTiles = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #busyTilesTimer;

  /**
   * @param {HTMLElement & {osd?: any}} stage the element that OpenSeadragon fills
   * @param {Api} api
   */
  constructor(stage, api) {
    super();
    this.#stage = stage;
    this.#api = api;
    window.addEventListener("online", () => this.retryTiles());
  }

  /**
   * Show a slide, instead of the one that is shown.
   * @param {Descriptor} descriptor
   * @param {View | null} view null for the whole slide
   * @param {AbortSignal} signal aborted when the slide is closed
   * @param {{navigator?: boolean, focus?: boolean}} [options] focus: move the focus to the slide once it is open
   * @returns {Promise<void>} resolved when OpenSeadragon is loaded and opens the slide
   * @throws {RequestError} if OpenSeadragon could not be loaded
   */
  async open(descriptor, view, signal, { navigator = true, focus = true } = {}) {
    await loadOpenSeadragon();
    if (signal.aborted) return;
    this.close();
    this.#firstView = view;
    const onConflict = (/** @type {unknown} */ error) => {
      if (this.#osd === osd) this.#tell("conflict", error);
    };
    const osd = OpenSeadragon({
      element: this.#stage,
      drawer: "canvas", // the same result everywhere; emulated WebGL (remote desktops) is several times slower
      tileSources: [tileSource(descriptor, this.#api, signal, onConflict)],
      showNavigationControl: false,
      showNavigator: navigator,
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
    osd.addOnceHandler("open", () => this.#opened(focus));
    for (const event of /** @type {const} */ (["animation", "animation-finish", "resize"])) {
      osd.addHandler(event, () => this.#zoomed());
    }
    osd.addHandler("animation-finish", () => this.#tell("view"));
    // the pages have keys of their own; OpenSeadragon's mirror the slide, too, which misleads
    osd.addHandler("canvas-key", (/** @type {any} */ event) => (event.preventDefaultAction = true));
    osd.addHandler("canvas-key-press", (/** @type {any} */ event) => (event.preventDefaultAction = true));
    osd.addHandler("tile-loaded", (/** @type {any} */ { tile }) => {
      if (this.#failedTiles.delete(tile.getUrl())) this.#tellFailedTiles();
    });
    osd.addHandler("tile-load-failed", (/** @type {any} */ event) => this.#tileFailed(event));
    osd.canvas.setAttribute("role", "application");
    this.#tell("opening");
  }

  /** Remove the slide and release its resources. */
  close() {
    this.#osd?.destroy();
    this.#osd = null;
    this.#detail = null;
    this.#firstView = null;
    delete this.#stage.osd;
    delete this.#stage.dataset.viewerReady;
    clearTimeout(this.#busyTilesTimer);
    this.#failedTiles.clear();
    this.#tell("loading", false);
    this.#tellFailedTiles();
  }

  /** @returns {any} the OpenSeadragon viewer while a slide is open, else null */
  get osd() {
    return this.#osd;
  }

  /** @returns {any} the slide as OpenSeadragon's TiledImage, once it is open */
  get image() {
    return this.#osd?.world.getItemAt(0) ?? null;
  }

  /** @returns {View | null} what is shown, or where a movement leads; before the slide is open, what will be shown */
  get view() {
    const { image } = this;
    if (!image) return this.#firstView;
    const { viewport } = this.#osd;
    const { x, y } = image.viewportToImageCoordinates(viewport.getCenter());
    return {
      x,
      y,
      zoom: image.viewportToImageZoom(viewport.getZoom()),
      rotation: (viewport.getRotation() + 360) % 360,
    };
  }

  /** @returns {number} the zoom at this moment, in screen pixels per slide pixel; 0 while no slide is open */
  get imageZoom() {
    return this.image?.viewportToImageZoom(this.#osd.viewport.getZoom(true)) ?? 0;
  }

  /** @returns {number} the smallest zoom, in screen pixels per slide pixel */
  get minImageZoom() {
    return this.image?.viewportToImageZoom(this.#osd.viewport.getMinZoom()) ?? 0;
  }

  /**
   * Show a view of the slide at once.
   * @param {View} view
   */
  setView(view) {
    const { image } = this;
    if (!image) return;
    const { viewport } = this.#osd;
    viewport.setRotation(view.rotation, true);
    viewport.zoomTo(image.imageToViewportZoom(view.zoom), null, true);
    viewport.panTo(image.imageToViewportCoordinates(view.x, view.y), true);
    viewport.applyConstraints(true);
  }

  /** @param {number} imageZoom in screen pixels per slide pixel */
  zoomTo(imageZoom) {
    const { image } = this;
    if (!image) return;
    this.#osd.viewport.zoomTo(image.imageToViewportZoom(imageZoom));
    this.#osd.viewport.applyConstraints();
  }

  /** @param {number} factor */
  zoomBy(factor) {
    this.#osd?.viewport.zoomBy(factor);
    this.#osd?.viewport.applyConstraints();
  }

  /**
   * @param {number} degrees clockwise
   * @param {boolean} [immediately] without an animation
   */
  rotateBy(degrees, immediately = false) {
    if (degrees) this.#osd?.viewport.rotateBy(degrees, undefined, immediately);
  }

  /** Turn the slide back as it was scanned. */
  resetRotation() {
    this.#osd?.viewport.setRotation(0);
  }

  /**
   * Move the view.
   * @param {number} x screen pixels to the right
   * @param {number} y screen pixels down
   */
  panBy(x, y) {
    if (!this.#osd) return;
    const { viewport } = this.#osd;
    viewport.panBy(viewport.deltaPointsFromPixels(new OpenSeadragon.Point(x, y)));
    viewport.applyConstraints();
  }

  /** Show the whole slide, as it was scanned. */
  goHome() {
    this.#osd?.viewport.setRotation(0);
    this.#osd?.viewport.goHome();
  }

  /** @param {DetailChoice} choice when tiles are loaded for the pixels of a dense screen */
  chooseDetail(choice) {
    this.#detail?.choose(choice);
  }

  /** Request the tiles again that could not be loaded. */
  retryTiles() {
    if (this.#failedTiles.size === 0) return;
    for (const tile of this.#failedTiles.values()) tile.exists = true; // else it is not requested
    this.#failedTiles.clear();
    this.#tellFailedTiles();
    this.#osd?.world.resetItems();
  }

  /** @param {boolean} focus */
  #opened(focus) {
    const { image } = this;
    const osd = this.#osd;
    if (this.#firstView) this.setView(this.#firstView);
    this.#zoomed();
    this.#detail = new Detail(osd, image, MIN_PIXEL_RATIO);
    image.addHandler("fully-loaded-change", (/** @type {any} */ { fullyLoaded }) =>
      this.#tell("loading", !fullyLoaded),
    );
    image.whenFullyLoaded(() =>
      afterPaint(() => {
        if (this.#osd !== osd) return;
        this.#stage.dataset.viewerReady = "true";
        this.#tell("ready");
      }),
    );
    if (focus) osd.canvas.focus({ preventScroll: true });
  }

  #zoomed() {
    if (!this.image) return;
    this.#osd.drawer.setImageSmoothingEnabled(this.imageZoom < 1.01); // beyond 1:1 show single pixels
    this.#tell("zoom");
  }

  /** @param {any} event OpenSeadragon's `tile-load-failed` */
  #tileFailed({ tile, tries, message }) {
    if (tries <= TILE_RETRIES) return; // OpenSeadragon will retry
    this.#failedTiles.set(tile.getUrl(), tile);
    this.#tellFailedTiles();
    if (message !== TITLES.busy) return;
    clearTimeout(this.#busyTilesTimer);
    this.#busyTilesTimer = setTimeout(() => this.retryTiles(), BUSY_TILES_RETRY_MS);
  }

  #tellFailedTiles() {
    this.#tell("failed-tiles", this.#failedTiles.size);
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
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
