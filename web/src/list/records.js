// The slides that a search has found so far: all their IDs, and the records of those near the screen.

import { listingOf } from "./criteria.js";

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./criteria.js").Criteria} Criteria
 */

/** The first page is small, so that it is shown soon. */
const FIRST_PAGE = 60;
const NEXT_PAGE = 200;
/** The server looks at this many slides at most, of which it returns those that it finds. */
const LARGEST_PAGE = 1_000;
/** IDs in one request. */
const BATCH = 100;
/** Records that are kept at least. Others are requested again when the user scrolls back to them. */
const KEPT = 400;

export class SlideRecords {
  #api;
  /** @type {Criteria} */
  #criteria;
  /** @type {string[]} in the order of the search */
  #ids = [];
  /** @type {Map<string, Slide>} those that are kept, by ImageID */
  #slides = new Map();
  /** @type {Set<string>} */
  #known = new Set();
  /** @type {string | null} */
  #nextToken = null;
  #pages = 0;
  /** How many slides the server has looked at. */
  #lookedAt = 0;
  /** @type {Promise<void> | null} the request in progress: never more than one */
  #loading = null;
  #stopped = new AbortController();

  /**
   * @param {import("../api/api.js").Api} api
   * @param {Criteria} criteria
   */
  constructor(api, criteria) {
    this.#api = api;
    this.#criteria = criteria;
  }

  /** @returns {string[]} */
  get ids() {
    return this.#ids;
  }

  /** @returns {Slide[]} the records that are kept */
  get slides() {
    return [...this.#slides.values()];
  }

  /** @returns {boolean} whether there has been an answer */
  get loaded() {
    return this.#pages > 0;
  }

  /** @returns {boolean} whether all slides have been found */
  get complete() {
    return this.loaded && this.#nextToken === null;
  }

  /** @returns {AbortSignal} aborted when these records are no longer shown */
  get signal() {
    return this.#stopped.signal;
  }

  /**
   * @param {string} imageId
   * @returns {Slide | undefined} undefined if it is not kept
   */
  get(imageId) {
    return this.#slides.get(imageId);
  }

  /**
   * @param {string} imageId
   * @returns {boolean} whether the search has found it
   */
  has(imageId) {
    return this.#known.has(imageId);
  }

  /**
   * Find more slides, until there is at least one more.
   * @param {(lookedAt: number) => void} [onProgress] called after each answer without slides
   * @returns {Promise<void>}
   */
  loadMore(onProgress = () => {}) {
    this.#loading ??= this.#loadMore(onProgress).finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /**
   * Request the records of these slides that are not kept.
   * @param {string[]} imageIds
   * @returns {Promise<Slide[]>} those that were requested
   */
  async fetch(imageIds) {
    const missing = imageIds.filter((id) => !this.#slides.has(id));
    const fetched = [];
    for (let start = 0; start < missing.length; start += BATCH) {
      const slides = await this.#api.getSlides(missing.slice(start, start + BATCH), this.signal);
      for (const slide of slides) this.#slides.set(slide.ImageID, slide);
      fetched.push(...slides);
    }
    return fetched;
  }

  /**
   * Keep newer records of slides that the search has found.
   * @param {Slide[]} slides
   * @returns {Slide[]} those that were newer
   */
  update(slides) {
    return slides.filter((slide) => {
      const old = this.#slides.get(slide.ImageID);
      if (!old || (slide.Version ?? 0) < (old.Version ?? 0)) return false;
      this.#slides.set(slide.ImageID, slide);
      return true;
    });
  }

  /**
   * Forget records far from those that are shown.
   * @param {number} first index of the first slide that is shown
   * @param {number} end
   * @param {(imageId: string) => boolean} isNeeded
   */
  trim(first, end, isNeeded) {
    if (this.#slides.size <= 2 * KEPT) return;
    const near = new Set(this.#ids.slice(Math.max(0, first - KEPT / 2), end + KEPT / 2));
    for (const id of this.#slides.keys()) if (!near.has(id) && !isNeeded(id)) this.#slides.delete(id);
  }

  /** Abort all requests. */
  close() {
    this.#stopped.abort();
  }

  /** @param {(lookedAt: number) => void} onProgress */
  async #loadMore(onProgress) {
    if (this.complete) return;
    const listing = listingOf(this.#criteria);
    let limit = this.loaded ? NEXT_PAGE : FIRST_PAGE;
    for (;;) {
      const page = { limit, nextToken: this.#nextToken };
      const { items, nextToken } = await this.#api.listSlides(listing, page, this.signal);
      this.#pages += 1;
      this.#lookedAt += limit;
      this.#nextToken = nextToken;
      const before = this.#ids.length;
      items.forEach((slide) => this.#add(slide));
      if (this.#ids.length > before || nextToken === null) return;
      onProgress(this.#lookedAt);
      limit = Math.min(limit * 2, LARGEST_PAGE);
    }
  }

  /** @param {Slide} slide */
  #add(slide) {
    this.#slides.set(slide.ImageID, slide);
    if (this.#known.has(slide.ImageID)) return; // it moved to a later page while the list was loading
    this.#known.add(slide.ImageID);
    this.#ids.push(slide.ImageID);
  }
}
