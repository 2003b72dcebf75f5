// Labels and thumbnails of the rows on the screen. Images of rows that leave it are dropped.

import { imageFrom } from "../dom.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 */

export class RowImages {
  #api;
  /** @type {Map<HTMLElement, AbortController>} by row */
  #loading = new Map();

  /** @param {Api} api */
  constructor(api) {
    this.#api = api;
  }

  /**
   * Load the images of the rows that are on the screen.
   * @param {Iterable<HTMLElement>} rows
   */
  show(rows) {
    for (const row of rows) {
      const { top, bottom } = row.getBoundingClientRect();
      if (bottom > 0 && top < innerHeight && !this.#loading.has(row)) this.load(row);
    }
  }

  /**
   * Load a row's images, again if they have been loaded.
   * @param {HTMLElement} row
   */
  load(row) {
    this.drop(row);
    const aborted = new AbortController();
    this.#loading.set(row, aborted);
    for (const figure of row.querySelectorAll("[data-image]")) {
      void this.#load(row.dataset.imageId ?? "", /** @type {HTMLElement} */ (figure), aborted.signal);
    }
  }

  /**
   * Stop loading a row's images.
   * @param {HTMLElement} row
   */
  drop(row) {
    this.#loading.get(row)?.abort();
    this.#loading.delete(row);
  }

  /**
   * @param {string} imageId
   * @param {HTMLElement} figure
   * @param {AbortSignal} signal
   */
  async #load(imageId, figure, signal) {
    const name = /** @type {"label" | "thumbnail"} */ (figure.dataset.image);
    let content;
    try {
      const blob = await this.#api.getAssociatedImage(imageId, name, signal);
      content = blob ? await imageFrom(blob, "") : `No ${name}`;
    } catch {
      content = `The ${name} could not be loaded`;
    }
    if (!signal.aborted) figure.replaceChildren(content);
  }
}
