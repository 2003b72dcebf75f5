// Announces new scans above the list. They are not inserted by themselves: a card would move under the pointer.

import { button, element } from "../dom.js";

export class Arrivals {
  #text = element("span");
  /** @type {Set<string>} image IDs */
  #imageIds = new Set();
  /** Those that were announced before: the list may not show them, because of its filter. @type {Set<string>} */
  #announced = new Set();
  /** Whether there may be others. */
  #missed = false;

  /** @param {() => void} onShow shows the list with the new slides */
  constructor(onShow) {
    const show = button("Show", () => {
      this.clear();
      onShow();
    });
    this.element = element("p", { class: "arrivals", role: "status", hidden: true }, this.#text, show);
  }

  /**
   * Announce new slides.
   * @param {Iterable<string>} imageIds
   */
  add(imageIds) {
    for (const imageId of imageIds) if (!this.#announced.has(imageId)) this.#imageIds.add(imageId);
    this.#show();
  }

  /** Announce that there may be new slides: the connection was lost for a while. */
  miss() {
    this.#missed = true;
    this.#show();
  }

  /** Announce nothing: the list has been read again. */
  clear() {
    for (const imageId of this.#imageIds) this.#announced.add(imageId);
    this.#imageIds.clear();
    this.#missed = false;
    this.#show();
  }

  #show() {
    const count = this.#imageIds.size;
    this.element.hidden = count === 0 && !this.#missed;
    const scans = `${count} new ${count === 1 ? "scan" : "scans"}`;
    this.#text.textContent = count > 0 ? scans : this.#missed ? "There may be new scans" : "";
  }
}
