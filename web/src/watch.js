// Polls the records of slides that are being imported, removed or sent. While the live connection tells of changes,
// this is for messages that were lost.

import { isInProgress } from "./record.js";

/**
 * @typedef {import("./record.js").Slide} Slide
 */

const FIRST_POLL_MS = 5_000;
const LAST_POLL_MS = 60_000;
/** The pause grows by this factor while no record changes: a delivery to the CDR can wait for hours. */
const BACKOFF = 1.5;

export class Watch {
  #api;
  #slides;
  #onUpdate;
  #stopped = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import("./api/api.js").Api} api
   * @param {() => Slide[]} slides returns the records that are shown
   * @param {(slides: Slide[]) => void} onUpdate called with the current records of slides in progress
   */
  constructor(api, slides, onUpdate) {
    this.#api = api;
    this.#slides = slides;
    this.#onUpdate = onUpdate;
  }

  /** Start polling, or start again after the records have changed. Ends when no slide is in progress. */
  start() {
    this.stop();
    this.#stopped = new AbortController();
    this.#wait(FIRST_POLL_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#stopped.abort();
  }

  /** @param {number} pauseMs */
  #wait(pauseMs) {
    const { signal } = this.#stopped;
    const known = this.#slides().filter(isInProgress);
    if (known.length === 0) return;
    const pause = this.#api.live?.connected ? LAST_POLL_MS : pauseMs;
    this.#timer = setTimeout(async () => {
      let changed = false;
      try {
        const imageIds = known.map(({ ImageID }) => ImageID);
        const slides = await this.#api.getSlides(imageIds, signal);
        changed = JSON.stringify(slides) !== JSON.stringify(known);
        if (changed && !signal.aborted) this.#onUpdate(slides);
      } catch {
        // ask again after the next pause
      }
      if (!signal.aborted) this.#wait(changed ? FIRST_POLL_MS : Math.min(pauseMs * BACKOFF, LAST_POLL_MS));
    }, pause);
  }
}
