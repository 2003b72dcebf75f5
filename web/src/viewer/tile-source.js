// The slide as OpenSeadragon's tile source.

import { RequestError, describe } from "../api/errors.js";

/**
 * @typedef {import("../api/api.js").Api} Api
 * @typedef {import("../api/api.js").Descriptor} Descriptor
 */

/**
 * Return the slide's tile source. It requests tiles through the API, which renews the cookies and repeats a request that
 * was refused.
 * @param {Descriptor} descriptor
 * @param {Api} api
 * @param {AbortSignal} closed
 * @param {(error: RequestError) => void} onConflict called if the slide has no tiles because it is archived
 */
export function tileSource(descriptor, api, closed, onConflict) {
  const source = new OpenSeadragon.DziTileSource(descriptor);
  source.downloadTileStart = async (/** @type {any} */ job) => {
    const abort = new AbortController();
    job.userData.abort = abort;
    try {
      const tile = await api.getTile(job.src, AbortSignal.any([abort.signal, closed]));
      const bitmap = await createImageBitmap(tile); // here, so that a tile that cannot be decoded counts as failed
      job.finish(bitmap, null, "imageBitmap");
    } catch (error) {
      job.fail(describe(error).title, null);
      if (error instanceof RequestError && error.kind === "conflict") setTimeout(() => onConflict(error));
    }
  };
  source.downloadTileAbort = (/** @type {any} */ job) => job.userData.abort.abort();
  return source;
}
