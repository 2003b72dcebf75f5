// Follows slides with which something is under way, by asking for their records now and then.

import { isUnderWay } from "./review/review.js";

/**
 * @typedef {import("./record.js").Slide} Slide
 */

const FIRST_POLL_MS = 5_000;
const LAST_POLL_MS = 60_000;
/** While nothing changes, the pause grows by this: a delivery may wait for hours. */
const BACKOFF = 1.5;

export class Watch {
  #api;
  #slides;
  #tell;
  #stopped = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import("./api/api.js").Api} api
   * @param {() => Slide[]} slides those that matter, as they are known
   * @param {(slides: Slide[]) => void} tell called with what the records of those under way are now
   */
  constructor(api, slides, tell) {
    this.#api = api;
    this.#slides = slides;
    this.#tell = tell;
  }

  /** Looks anew which slides there is something to ask about. Called when they have changed. */
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
    const known = this.#slides().filter(isUnderWay);
    if (known.length === 0) return;
    this.#timer = setTimeout(async () => {
      let changed = false;
      try {
        const imageIds = known.map(({ ImageID }) => ImageID);
        const slides = await this.#api.getSlides(imageIds, signal);
        changed = JSON.stringify(slides) !== JSON.stringify(known);
        if (changed && !signal.aborted) this.#tell(slides);
      } catch {
        // the next round asks again; what is shown stays true as of its last answer
      }
      if (!signal.aborted) this.#wait(changed ? FIRST_POLL_MS : Math.min(pauseMs * BACKOFF, LAST_POLL_MS));
    }, pauseMs);
  }
}
