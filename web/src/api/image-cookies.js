// The cookies that CloudFront checks before it serves images. Scripts cannot read them; this module knows only how long
// they are valid.

/** Renew them this long before they expire, so that they cannot expire during a request. */
const RENEW_BEFORE_MS = 60_000;

export class ImageCookies {
  #request;
  #now;
  #expiresAt = 0;
  /** @type {Promise<number> | null} the request in progress: never more than one */
  #renewal = null;

  /**
   * @param {() => Promise<number>} request requests new cookies; returns for how many seconds they are valid
   * @param {() => number} [now] milliseconds
   */
  constructor(request, now = Date.now) {
    this.#request = request;
    this.#now = now;
  }

  /**
   * Make sure that the cookies are valid for at least another minute.
   * @returns {Promise<number>} when they expire, in milliseconds; this also tells one set of cookies from the next
   */
  async current() {
    if (this.#now() < this.#expiresAt - RENEW_BEFORE_MS) return this.#expiresAt;
    return this.renewed(this.#expiresAt);
  }

  /**
   * Replace cookies that were refused, unless they have been replaced already.
   * @param {number} refused what `current` returned for them
   * @returns {Promise<number>} when the new ones expire
   */
  async renewed(refused) {
    if (this.#expiresAt !== refused) return this.#expiresAt;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renew() {
    const requestedAt = this.#now();
    this.#expiresAt = requestedAt + (await this.#request()) * 1000;
    return this.#expiresAt;
  }
}
