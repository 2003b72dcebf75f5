// What the review page shows of a slide, requested ahead: its record, label, macro and DeepZoom descriptor.

import { imageFrom } from "../dom.js";
import { isViewable } from "../record.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../record.js").Slide} Slide
 *
 * @typedef {object} Loaded
 * @property {Promise<Slide>} request
 * @property {Slide | null} record once it has been loaded
 * @property {number} at when it was requested, in milliseconds
 * @property {Record<"label" | "macro", Promise<HTMLImageElement | null>>} images null: the slide has no such image
 * @property {AbortController} abort
 */

/** An older record is requested again when its slide is shown. */
const FRESH_MS = 5_000;

export class Ahead {
  #api;
  /** @type {Map<string, Loaded>} by image ID */
  #slides = new Map();

  /** @param {Api} api */
  constructor(api) {
    this.#api = api;
  }

  /**
   * Request what is shown of a slide, unless it has been requested before.
   * @param {string} imageId
   * @returns {Loaded}
   */
  load(imageId) {
    const known = this.#slides.get(imageId);
    if (known) return known;
    const abort = new AbortController();
    const image = (/** @type {"label" | "macro"} */ name) =>
      this.#api
        .getAssociatedImage(imageId, name, abort.signal)
        .then((blob) => blob && imageFrom(blob, `The slide's ${name}`));
    const images = { label: image("label"), macro: image("macro") };
    const request = this.#api.getSlide(imageId, abort.signal);
    /** @type {Loaded} */
    const loaded = { request, record: null, at: Date.now(), images, abort };
    request.then(
      (record) => (loaded.record = newer(loaded.record, record)),
      () => this.#slides.delete(imageId), // it is requested again when the slide is shown
    );
    for (const each of Object.values(images)) each.catch(() => {}); // the page shows it when it waits for it
    this.#slides.set(imageId, loaded);
    return loaded;
  }

  /**
   * Keep a record that has changed.
   * @param {Slide} slide
   */
  update(slide) {
    const loaded = this.#slides.get(slide.ImageID);
    if (loaded) loaded.record = newer(loaded.record, slide);
  }

  /**
   * Check whether a slide's record was requested a while ago.
   * @param {string} imageId
   */
  isStale(imageId) {
    const loaded = this.#slides.get(imageId);
    return !loaded || Date.now() - loaded.at > FRESH_MS;
  }

  /**
   * Forget all slides but these.
   * @param {string[]} imageIds
   */
  keep(imageIds) {
    for (const [imageId, { abort }] of this.#slides) {
      if (imageIds.includes(imageId)) continue;
      abort.abort();
      this.#slides.delete(imageId);
    }
  }

  /**
   * Return whether a slide that was requested ahead has tiles.
   * @param {string} imageId
   * @returns {Promise<boolean>}
   */
  async isViewable(imageId) {
    const loaded = this.load(imageId);
    try {
      return isViewable(loaded.record ?? (await loaded.request));
    } catch {
      return false;
    }
  }
}

/**
 * @param {Slide | null} known
 * @param {Slide} slide
 */
function newer(known, slide) {
  return known && (known.Version ?? 0) > (slide.Version ?? 0) ? known : slide;
}
