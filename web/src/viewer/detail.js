// How sharp the tiles are on a dense screen: as on a normal screen at first, and by device pixels once the view rests.

import { element } from "../dom.js";

/** @typedef {"standard" | "resting" | "always"} DetailChoice when tiles are loaded for device pixels */

/** @type {Record<DetailChoice, string>} */
const TEXTS = { standard: "Standard", resting: "Finer when the view rests", always: "Always finest" };
const STORAGE_KEY = "vsv.detail";
/** The view rests this long after its last movement. */
const REST_MS = 400;

/** @returns {DetailChoice} the remembered one */
export function detailChoice() {
  const choice = localStorage.getItem(STORAGE_KEY);
  return choice === "standard" || choice === "always" ? choice : "resting";
}

/**
 * Create the field that sets the detail. The style sheet hides it on normal screens, where it has no effect.
 * @param {(choice: DetailChoice) => void} onChange
 * @returns {HTMLElement}
 */
export function detailField(onChange) {
  const options = Object.entries(TEXTS).map(([choice, text]) =>
    element("option", { value: choice, selected: choice === detailChoice() }, text),
  );
  const select = /** @type {HTMLSelectElement} */ (element("select", { id: "detail" }, ...options));
  select.addEventListener("change", () => {
    const choice = /** @type {DetailChoice} */ (select.value);
    localStorage.setItem(STORAGE_KEY, choice);
    onChange(choice);
  });
  return element("label", { class: "detail-field" }, element("span", {}, "Detail on this dense screen"), select);
}

/**
 * Return OpenSeadragon's `minPixelRatio` for the levels that a normal screen shows.
 * @param {number} minPixelRatio the one for device pixels
 * @returns {number}
 */
export function standardPixelRatio(minPixelRatio) {
  return minPixelRatio * OpenSeadragon.pixelDensityRatio;
}

/**
 * Decides which tiles of an image are loaded. OpenSeadragon chooses levels by device pixels; tiles that are finer than a
 * normal screen shows are held back until the view rests and has all tiles of a normal screen. Finer tiles that are
 * loaded already stay visible while the view moves.
 */
export class Detail {
  #osd;
  #image;
  #minPixelRatio;
  /** @type {DetailChoice} */
  #choice;
  /** Whether finer tiles are held back. */
  #holding = true;
  #rested = false;
  /** Whether the level that is being updated is finer than a normal screen shows. */
  #isFiner = false;
  /** @type {Set<any>} tiles that OpenSeadragon believes not to exist */
  #held = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {any} osd
   * @param {any} image its TiledImage
   * @param {number} minPixelRatio for device pixels
   * @param {DetailChoice} [choice]
   */
  constructor(osd, image, minPixelRatio, choice = detailChoice()) {
    this.#osd = osd;
    this.#image = image;
    this.#minPixelRatio = minPixelRatio;
    this.#choice = choice;
    image.minPixelRatio = minPixelRatio;
    osd.addHandler("viewport-change", () => this.#moved());
    osd.addHandler("update-level", (/** @type {any} */ { tiledImage, level }) => {
      this.#isFiner = this.#holding && tiledImage === image && this.#isFinerLevel(level);
    });
    osd.addHandler("update-tile", (/** @type {any} */ { tile }) => this.#isFiner && this.#hold(tile));
    osd.addOnceHandler("destroy", () => clearTimeout(this.#timer));
    image.addHandler("fully-loaded-change", () => this.#refine());
    this.choose(choice);
  }

  /**
   * Change when tiles are loaded for device pixels.
   * @param {DetailChoice} choice
   */
  choose(choice) {
    this.#choice = choice;
    if (choice === "always") this.#release();
    else this.#moved();
  }

  #moved() {
    if (this.#choice === "always" || OpenSeadragon.pixelDensityRatio <= 1) return;
    if (!this.#holding) this.#osd.imageLoader.clear(); // what is queued may be too fine; the rest is queued again
    this.#holding = true;
    this.#rested = false;
    clearTimeout(this.#timer);
    if (this.#choice === "standard") return;
    this.#timer = setTimeout(() => {
      this.#rested = true;
      this.#refine();
    }, REST_MS);
  }

  /** Load finer tiles if the view rests and has all others: they would only delay those. */
  #refine() {
    if (this.#holding && this.#rested && this.#image.getFullyLoaded()) this.#release();
  }

  #release() {
    this.#holding = false;
    for (const tile of this.#held) tile.exists = true;
    this.#held.clear();
    this.#image.setClip(this.#image.getClip()); // makes OpenSeadragon look for tiles again
  }

  /** @param {any} tile */
  #hold(tile) {
    if (!tile.exists || tile.loaded || tile.loading) return;
    tile.exists = false;
    this.#held.add(tile);
  }

  /** @param {number} level */
  #isFinerLevel(level) {
    const ratio = this.#osd.viewport.deltaPixelsFromPointsNoRotate(this.#image.source.getPixelRatio(level), true).x;
    return ratio < standardPixelRatio(this.#minPixelRatio) && level > this.#image.source.minLevel;
  }
}
