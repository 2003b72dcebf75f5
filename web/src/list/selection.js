// Which slides are selected.

/** Emits `change`. */
export class Selection extends EventTarget {
  /** @type {Set<string>} */
  #ids = new Set();
  /** @type {string | null} the slide that was selected or unselected last: where a range begins */
  #anchor = null;

  /** @returns {string[]} */
  get ids() {
    return [...this.#ids];
  }

  /** @returns {number} */
  get size() {
    return this.#ids.size;
  }

  /**
   * @param {string} imageId
   * @returns {boolean}
   */
  has(imageId) {
    return this.#ids.has(imageId);
  }

  /**
   * Select or unselect a slide.
   * @param {string} imageId
   * @param {boolean} selected
   */
  set(imageId, selected) {
    this.#put(imageId, selected);
    this.#anchor = imageId;
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Do to all slides between the last one and this one what was done to the last one.
   * @param {string} imageId
   * @param {string[]} order all slides, in the order in which they are shown
   */
  extend(imageId, order) {
    const from = this.#anchor === null ? -1 : order.indexOf(this.#anchor);
    const to = order.indexOf(imageId);
    if (from < 0 || to < 0) {
      this.set(imageId, true);
      return;
    }
    const selected = this.#anchor !== null && this.#ids.has(this.#anchor);
    for (const id of order.slice(Math.min(from, to), Math.max(from, to) + 1)) this.#put(id, selected);
    this.#anchor = imageId;
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Select these slides, and no others.
   * @param {string[]} imageIds
   */
  replace(imageIds) {
    this.#ids = new Set(imageIds);
    this.#anchor = null;
    this.dispatchEvent(new Event("change"));
  }

  /**
   * @param {string} imageId
   * @param {boolean} selected
   */
  #put(imageId, selected) {
    if (selected) this.#ids.add(imageId);
    else this.#ids.delete(imageId);
  }
}
