// The slides that a technician goes through: the list's, or the new ones.

/** @typedef {import("../review/actions.js").Queue} Queue */

const PAGE_SIZE = 50;
const NEW_SLIDES = /** @type {const} */ ({
  field: "searchSlides",
  arguments: { Status: "NEW", Order: "NEWEST" },
  emptyText: "",
});

/** The new slides, newest scan first; requested page by page. @implements {Queue} */
export class NewSlides {
  #api;
  /** @type {string[]} */
  ids = [];
  /** @type {string | null} */
  #nextToken = null;
  #complete = false;

  /** @param {import("../api/api.js").Api} api */
  constructor(api) {
    this.#api = api;
  }

  /**
   * Return a slide's neighbour. A slide that is not new comes before all others.
   * @param {string} imageId
   * @param {1 | -1} step
   */
  async neighbour(imageId, step) {
    while (!this.#complete && this.#next(imageId) === undefined) await this.#load();
    const index = this.ids.indexOf(imageId);
    return step === 1 ? (this.#next(imageId) ?? null) : (this.ids[index - 1] ?? null);
  }

  /** @param {string} imageId */
  #next(imageId) {
    return this.ids[this.ids.indexOf(imageId) + 1];
  }

  async #load() {
    const page = { limit: PAGE_SIZE, nextToken: this.#nextToken };
    const { items, nextToken } = await this.#api.listSlides(NEW_SLIDES, page);
    for (const { ImageID, ImportStatus } of items) {
      if (ImportStatus !== "FAILED" && !this.ids.includes(ImageID)) this.ids.push(ImageID);
    }
    this.#nextToken = nextToken;
    this.#complete = nextToken === null;
  }
}
