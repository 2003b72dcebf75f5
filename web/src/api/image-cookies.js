// The cookies by which the edge shows images. The browser keeps them out of this page's sight; what
// is known here is how long they are good.

/** Renew them this long before they expire, so that no request leaves with dying ones. */
const RENEW_BEFORE_MS = 60_000;

export class ImagePass {
  #open;
  #now;
  #goodUntil = 0;
  /** @type {Promise<number> | null} the opening under way: there is never more than one */
  #opening = null;

  /**
   * @param {() => Promise<number>} open gets cookies, and tells for how many seconds they are good
   * @param {() => number} [now] milliseconds
   */
  constructor(open, now = Date.now) {
    this.#open = open;
    this.#now = now;
  }

  /**
   * Waits for cookies that are good for the next minute.
   * @returns {Promise<number>} until when they are, which tells them from others
   */
  async current() {
    if (this.#now() < this.#goodUntil - RENEW_BEFORE_MS) return this.#goodUntil;
    return this.renewed(this.#goodUntil);
  }

  /**
   * Waits for other cookies than those that were refused.
   * @param {number} refused
   * @returns {Promise<number>}
   */
  async renewed(refused) {
    if (this.#goodUntil !== refused) return this.#goodUntil;
    this.#opening ??= this.#renew().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #renew() {
    const asked = this.#now();
    this.#goodUntil = asked + (await this.#open()) * 1000;
    return this.#goodUntil;
  }
}
