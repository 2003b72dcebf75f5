// Brightness, contrast and gamma: the curve that they make, and what was set for each slide.

/** @typedef {{brightness: number, contrast: number, gamma: number}} Adjustments 1 leaves the slide as it is */

/** @type {Readonly<Adjustments>} */
export const AS_SCANNED = Object.freeze({ brightness: 1, contrast: 1, gamma: 1 });
/** Smallest and largest values. @type {Readonly<Record<keyof Adjustments, [min: number, max: number]>>} */
export const RANGES = Object.freeze({ brightness: [0.5, 2], contrast: [0.5, 3], gamma: [0.4, 2.5] });
const STORAGE_KEY = "vsv.adjustments";
const MAX_REMEMBERED = 200;

/**
 * Check whether nothing is adjusted.
 * @param {Adjustments} adjustments
 */
export function isAsScanned({ brightness, contrast, gamma }) {
  return brightness === 1 && contrast === 1 && gamma === 1;
}

/**
 * Return what becomes of each value of a colour channel. Contrast turns about the middle grey.
 * @param {Adjustments} adjustments
 * @returns {number[]} 256 values from 0 to 1
 */
export function curve({ brightness, contrast, gamma }) {
  return Array.from({ length: 256 }, (_, value) => {
    const linear = ((value / 255) * brightness - 0.5) * contrast + 0.5;
    return Math.min(1, Math.max(0, linear)) ** (1 / gamma);
  });
}

/**
 * Remembers the adjustments of the slides that were adjusted last. The IDs in it go when the user signs out.
 */
export class RememberedAdjustments {
  #storage;

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * @param {string} imageId
   * @returns {Adjustments}
   */
  get(imageId) {
    const known = this.#read().find(([id]) => id === imageId)?.[1];
    return valid(known) ? { ...AS_SCANNED, ...known } : { ...AS_SCANNED };
  }

  /**
   * @param {string} imageId
   * @param {Adjustments} adjustments
   */
  set(imageId, adjustments) {
    const others = this.#read().filter(([id]) => id !== imageId);
    /** @type {[string, Adjustments][]} */
    const all = isAsScanned(adjustments) ? others : [...others, [imageId, adjustments]];
    this.#storage.setItem(STORAGE_KEY, JSON.stringify(all.slice(-MAX_REMEMBERED)));
  }

  clear() {
    this.#storage.removeItem(STORAGE_KEY);
  }

  /** @returns {[imageId: string, adjustments: Adjustments][]} the one that was set last comes last */
  #read() {
    try {
      /** @type {any} */
      const known = JSON.parse(this.#storage.getItem(STORAGE_KEY) ?? "[]");
      return Array.isArray(known) ? known.filter((each) => Array.isArray(each) && each.length === 2) : [];
    } catch {
      return [];
    }
  }
}

/**
 * Check that remembered adjustments are ones that the sliders can show.
 * @param {any} adjustments
 */
function valid(adjustments) {
  return Object.entries(RANGES).every(([name, [min, max]]) => adjustments?.[name] >= min && adjustments[name] <= max);
}
