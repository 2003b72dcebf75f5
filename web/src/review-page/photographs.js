// The photographs of a slide's glass: label and macro. Both can be turned and enlarged.

/**
 * @typedef {"label" | "macro"} Name
 *
 * @typedef {object} Photograph
 * @property {Node | string} content the image, or why there is none
 * @property {number} turns by 90 degrees; they stay from slide to slide, because labels are mostly glued on alike
 * @property {boolean} enlarged
 */

export class Photographs {
  #onChange;
  /** @type {Record<Name, Photograph>} */
  all = { label: photograph(), macro: photograph() };

  /** @param {() => void} onChange called when what is shown has changed */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /**
   * Show a slide's images when they are loaded.
   * @param {Record<Name, Promise<HTMLImageElement | null>>} images null: the slide has no such image
   * @param {AbortSignal} signal
   */
  show(images, signal) {
    for (const name of /** @type {Name[]} */ (Object.keys(images))) {
      const show = (/** @type {Node | string} */ content) => {
        if (signal.aborted) return;
        this.all[name].content = content;
        this.#onChange();
      };
      Object.assign(this.all[name], { content: "…", enlarged: false });
      images[name].then(
        (loaded) => show(loaded ?? `No ${name} image`),
        () => show(`The ${name} could not be loaded`),
      );
    }
  }

  /** @param {Name} name */
  turn(name) {
    this.all[name].turns = (this.all[name].turns + 1) % 4;
    this.#onChange();
  }

  /**
   * Enlarge an image, or show it at its size again.
   * @param {Name} name
   */
  enlarge(name) {
    const enlarged = !this.all[name].enlarged;
    this.reduce();
    this.all[name].enlarged = enlarged;
    this.#onChange();
  }

  /**
   * Show all images at their size.
   * @returns {boolean} whether one was enlarged
   */
  reduce() {
    const enlarged = Object.values(this.all).filter((each) => each.enlarged);
    for (const each of enlarged) each.enlarged = false;
    this.#onChange();
    return enlarged.length > 0;
  }
}

/** @returns {Photograph} */
function photograph() {
  return { content: "…", turns: 0, enlarged: false };
}
