// Tiles for OpenSeadragon.

import { RequestError, describe } from "../api/errors.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../api/api.js").Descriptor} Descriptor
 */

/**
 * The slide as OpenSeadragon's tile source. Its tiles come through the API, so that each leaves with
 * living cookies, and a refused one is asked for again with new ones.
 * @param {Descriptor} descriptor
 * @param {Api} api
 * @param {AbortSignal} closed
 * @param {(error: RequestError) => void} onRefused called where the slide as it is has no tiles: it is archived
 */
export function tileSource(descriptor, api, closed, onRefused) {
  const source = new OpenSeadragon.DziTileSource(descriptor);
  source.downloadTileStart = async (/** @type {any} */ job) => {
    const abort = new AbortController();
    job.userData.abort = abort;
    try {
      const tile = await api.getTile(job.src, AbortSignal.any([abort.signal, closed]));
      const bitmap = await createImageBitmap(tile); // here, so that a tile which is no picture has failed
      job.finish(bitmap, null, "imageBitmap");
    } catch (error) {
      job.fail(describe(error).title, null);
      if (error instanceof RequestError && error.kind === "conflict") setTimeout(() => onRefused(error));
    }
  };
  source.downloadTileAbort = (/** @type {any} */ job) => job.userData.abort.abort();
  return source;
}
