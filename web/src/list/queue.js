// The slides of the list in its order, for pages that go through them one by one.

/**
 * @typedef {import("./records.js").SlideRecords} SlideRecords
 */

export class Queue {
  #records;

  /** @param {SlideRecords} records */
  constructor(records) {
    this.#records = records;
  }

  /** @returns {string[]} the ImageIDs that have been found so far */
  get ids() {
    return this.#records.ids;
  }

  /**
   * Return a slide's neighbour in the list. More slides are requested at the end of what has been found.
   * @param {string} imageId
   * @param {1 | -1} step 1: the next one, -1: the previous one
   * @returns {Promise<string | null>} its ImageID; null if there is none, or if the slide is not in the list
   */
  async neighbour(imageId, step) {
    const index = this.#records.ids.indexOf(imageId);
    if (index < 0) return null;
    const isLast = index + step >= this.#records.ids.length;
    if (isLast && !this.#records.complete) await this.#records.loadMore();
    return this.#records.ids[index + step] ?? null;
  }
}
