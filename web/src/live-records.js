// Reads the records that the live connection tells of: those that are shown, all of a second at once.

/**
 * @typedef {import("./record.js").Slide} Slide
 * @typedef {import("./api/live.js").Change} Change
 *
 * @typedef {object} Listeners
 * @property {() => Slide[]} shown returns the records that are shown anywhere
 * @property {(slides: Slide[]) => void} update shows current records
 * @property {(imageIds: string[]) => void} arrived is told of new slides that are not shown
 * @property {() => void} missed is told that new slides may have arrived unnoticed
 */

const GATHER_MS = 1_000;
/** As many as DynamoDB reads at once. */
const BATCH = 100;
/** An import writes a record twice before it is IMPORTED. A later version is of a slide that is on another page. */
const LAST_VERSION_OF_NEW = 2;

export class LiveRecords {
  #api;
  #listeners;
  /** @type {Map<string, Change>} by image ID */
  #changes = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import("./api/live.js").Live} live
   * @param {Pick<import("./api/api.js").Api, "getSlides">} api
   * @param {Listeners} listeners
   */
  constructor(live, api, listeners) {
    this.#api = api;
    this.#listeners = listeners;
    live.addEventListener("change", (event) => {
      this.#gather([/** @type {CustomEvent<Change>} */ (event).detail]);
    });
    live.addEventListener("connected", (event) => {
      const { again } = /** @type {CustomEvent<{again: boolean}>} */ (event).detail;
      if (!again) return;
      listeners.missed();
      this.#gather(listeners.shown().map(({ ImageID }) => ({ ImageID })));
    });
  }

  /** Forget what has not been read. */
  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#changes.clear();
  }

  /** @param {Change[]} changes */
  #gather(changes) {
    for (const change of changes) this.#changes.set(change.ImageID, change);
    this.#timer ??= setTimeout(() => void this.#read(), GATHER_MS);
  }

  async #read() {
    const changes = [...this.#changes.values()];
    this.clear();
    const shown = new Map(this.#listeners.shown().map((slide) => [slide.ImageID, slide]));
    const known = changes.filter(({ ImageID }) => shown.has(ImageID));
    const arrived = changes.filter((change) => !shown.has(change.ImageID) && isNew(change));
    if (arrived.length) this.#listeners.arrived(arrived.map(({ ImageID }) => ImageID));

    const progress = known.filter((change) => isProgress(change, /** @type {Slide} */ (shown.get(change.ImageID))));
    this.#listeners.update(
      progress.map(({ ImageID, TilesRendered, TilesTotal }) => {
        return { .../** @type {Slide} */ (shown.get(ImageID)), TilesRendered, TilesTotal };
      }),
    );
    const outdated = known.filter((change) => !progress.includes(change)).map(({ ImageID }) => ImageID);
    for (let start = 0; start < outdated.length; start += BATCH) {
      try {
        this.#listeners.update(await this.#api.getSlides(outdated.slice(start, start + BATCH)));
      } catch {
        return; // the pages show what they know; polling and the next connection read it again
      }
    }
  }
}

/** @param {Change} change */
function isNew({ Version, Status }) {
  return (Version ?? 0) > 0 && (Version ?? 0) <= LAST_VERSION_OF_NEW && Status !== "DELETED";
}

/**
 * Return whether a change has only rendered more tiles.
 * @param {Change} change
 * @param {Slide} slide the record that is shown
 */
function isProgress({ Version, Status, ImportStatus, TilesRendered }, slide) {
  return (
    typeof TilesRendered === "number" &&
    Version === slide.Version &&
    Status === slide.Status &&
    ImportStatus === slide.ImportStatus &&
    ImportStatus === "IMPORTING"
  );
}
