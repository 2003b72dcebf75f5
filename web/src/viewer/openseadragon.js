// Loads OpenSeadragon with the first slide: the list does without it.

import { RequestError } from "../api/errors.js";

const URL = "openseadragon/openseadragon.min.js";

/** @type {Promise<void> | null} */
let loading = null;

/**
 * Load OpenSeadragon, once.
 * @returns {Promise<void>} resolved when the global `OpenSeadragon` is there
 * @throws {RequestError} if it could not be loaded; the next call tries again
 */
export function loadOpenSeadragon() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = URL;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      reject(new RequestError("network", "The viewer (OpenSeadragon) could not be loaded."));
    });
    document.head.append(script);
  });
  return loading;
}
