// Requests to the server: GraphQL for slide records and REST for removals, both with the user's token; images with
// cookies that are requested with this token.

import {
  CASE_SLIDES,
  COUNT_SLIDES,
  GET_SLIDE,
  GET_SLIDES,
  RETRY_IMPORT,
  SLIDE_HISTORY,
  UPDATE_SLIDE,
  listingQuery,
} from "./queries.js";
import { RequestError } from "./errors.js";
import { ImageCookies } from "./image-cookies.js";
import { Retries, retryAfter } from "./retry.js";

/** API Gateway's Cognito authorizer takes the ID token as a bearer token. */
const restAuthorization = (/** @type {string} */ token) => `Bearer ${token}`;
/** AppSync takes the token without a scheme. */
const graphqlAuthorization = (/** @type {string} */ token) => token;

const TIMEOUT_MS = 30_000;
/** The longest wait before a tile is requested again: the user may soon look elsewhere. */
const TILE_WAIT_MS = 10_000;
/** Signing out does not wait longer than this for the server. */
const SIGN_OUT_TIMEOUT_MS = 3_000;

/** Error types of AppSync and of its resolver. @type {Record<string, import("./errors.js").ErrorKind>} */
const GRAPHQL_KINDS = {
  Unauthorized: "forbidden",
  NotFound: "missing",
  BadRequest: "invalid",
  Conflict: "conflict",
  ServiceUnavailable: "busy",
};

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./auth.js").SignIn} SignIn
 * @typedef {import("../review/changes.js").Change} Change
 * @typedef {import("../list/criteria.js").Listing} Listing
 * @typedef {{limit: number, nextToken: string | null}} Page
 *
 * The criteria of a search, as the schema's `searchSlides` has them.
 * @typedef {{Text?: string, Status?: string, Unidentified?: boolean, Failed?: boolean, Scanner?: string,
 *   ScannedFrom?: string, ScannedTo?: string, SlideIDPrefix?: string, CaseIDPrefix?: string}} Criteria
 *
 * The result of a removal request for one slide: an HTTP status and a message.
 * @typedef {{ImageID: string, status: number, detail: string}} RemovalResult
 *
 * A DeepZoom descriptor, with the names of OpenSeadragon's DziTileSource options.
 * @typedef {object} Descriptor
 * @property {number} width
 * @property {number} height
 * @property {number} tileSize
 * @property {number} tileOverlap
 * @property {string} fileFormat
 * @property {string} tilesUrl
 */

export class Api {
  #apiUrl;
  #graphqlUrl;
  #signIn;
  #retries;
  #imageCookies = new ImageCookies(() => this.#requestImageCookies());
  /** ID of the request that returned the cookies. Image URLs carry it, so that it is in CloudFront's log. */
  #cookiesRequestId = "";
  /** What tells of changed slides, if anything does. @type {import("./live.js").Live | null} */
  live = null;

  /**
   * @param {{apiUrl: string, graphqlUrl: string}} config
   * @param {SignIn} signIn
   * @param {(busy: boolean) => void} onBusy called when the server has been busy for a while, and when it no longer is
   */
  constructor(config, signIn, onBusy) {
    this.#apiUrl = config.apiUrl;
    this.#graphqlUrl = config.graphqlUrl;
    this.#signIn = signIn;
    this.#retries = new Retries(onBusy);
  }

  /**
   * Return one page of slides. A page can be empty although more pages follow.
   * @param {Listing} listing
   * @param {Page} page
   * @param {AbortSignal} [signal]
   * @returns {Promise<{items: Slide[], nextToken: string | null}>}
   */
  async listSlides(listing, page, signal) {
    const variables = { ...listing.arguments, ...page };
    const { items, nextToken } = (await this.#query(listingQuery(listing.field), variables, signal))[listing.field];
    return { items: items.filter(Boolean), nextToken };
  }

  /**
   * Return how many slides a search finds.
   * @param {Criteria} criteria
   * @param {AbortSignal} [signal]
   * @returns {Promise<{Count: number, Exact: boolean}>} at most 1,000; a lower bound unless it is exact
   */
  async countSlides(criteria, signal) {
    return (await this.#query(COUNT_SLIDES, criteria, signal)).countSlides;
  }

  /**
   * Return one page of a case's slides.
   * @param {string} caseId
   * @param {Page} page
   * @param {AbortSignal} [signal]
   * @returns {Promise<{items: Slide[], nextToken: string | null}>}
   */
  async slidesOfCase(caseId, page, signal) {
    const { items, nextToken } = (await this.#query(CASE_SLIDES, { CaseID: caseId, ...page }, signal))
      .querySlidesByCase;
    return { items: items.filter(Boolean), nextToken };
  }

  /**
   * Return a slide's record.
   * @param {string} imageId
   * @param {AbortSignal} [signal]
   * @returns {Promise<Slide>}
   * @throws {RequestError} kind `missing` for an unknown slide
   */
  async getSlide(imageId, signal) {
    const { getSlide } = await this.#query(GET_SLIDE, { ImageID: imageId }, signal);
    if (!getSlide) throw new RequestError("missing", `No slide has the image ID “${imageId}”.`);
    return getSlide;
  }

  /**
   * Return the records of several slides.
   * @param {string[]} imageIds
   * @param {AbortSignal} [signal]
   * @returns {Promise<Slide[]>} those that exist
   */
  async getSlides(imageIds, signal) {
    const { getSlides } = await this.#query(GET_SLIDES, { ImageIDs: imageIds }, signal);
    return getSlides.filter(Boolean);
  }

  /**
   * Edit a slide's IDs or its status.
   * @param {string} imageId
   * @param {number | null | undefined} version the record's version that the user saw
   * @param {import("../review/review.js").Edit} edit
   * @returns {Promise<Slide>} the record after the edit
   * @throws {RequestError} kind `conflict`, with the current record, if the record has changed since that version
   */
  async updateSlide(imageId, version, edit) {
    const input = { ImageID: imageId, ...edit, Version: version ?? 0 };
    return (await this.#query(UPDATE_SLIDE, { input })).updateSlide;
  }

  /**
   * Try a slide's failed import again.
   * @param {string} imageId
   * @returns {Promise<Slide>} the record; its import is in progress
   * @throws {RequestError} kind `conflict` if the import did not fail, or if the file is gone
   */
  async retryImport(imageId) {
    return (await this.#query(RETRY_IMPORT, { ImageID: imageId })).retryImport;
  }

  /**
   * Return one page of the changes of a slide's record, newest first.
   * @param {string} imageId
   * @param {Page} page
   * @param {AbortSignal} [signal]
   * @returns {Promise<{items: Change[], nextToken: string | null}>}
   */
  async slideHistory(imageId, page, signal) {
    return (await this.#query(SLIDE_HISTORY, { ImageID: imageId, ...page }, signal)).slideHistory;
  }

  /**
   * Request that slides are deleted, archived or restored. Their records show when it has been done. Slides that the
   * server was too busy for are requested again.
   * @param {import("../review/review.js").Operation} operation
   * @param {Slide[]} slides
   * @returns {Promise<RemovalResult[]>}
   */
  async removeImages(operation, slides) {
    let images = slides.map(({ ImageID, Filename }) => ({ ImageID, Filename }));
    /** @type {Map<string, RemovalResult>} */
    const results = new Map();
    const send = async () => {
      const request = {
        method: "DELETE",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ Operation: operation, Images: images }),
      };
      const response = await this.#send(`${this.#apiUrl}/RemoveImages`, request, restAuthorization);
      for (const result of (await response.json()).Images) results.set(result.ImageID, result);
      images = images.filter(({ ImageID }) => results.get(ImageID)?.status === 503);
      if (images.length) throw new RequestError("busy", "Not all slides were accepted.");
    };
    try {
      await this.#retries.run(send);
    } catch (error) {
      if (results.size === 0) throw error; // else the results say which slides were not accepted
    }
    return [...results.values()];
  }

  /**
   * Return a slide's DeepZoom descriptor.
   * @param {string} imageId
   * @param {AbortSignal} [signal]
   * @returns {Promise<Descriptor>}
   */
  async getDescriptor(imageId, signal) {
    const response = await this.#getImage(`${this.#imageUrl(imageId)}.dzi`, signal);
    const image = new DOMParser().parseFromString(await response.text(), "application/xml").documentElement;
    const size = image.getElementsByTagNameNS("*", "Size")[0];
    const descriptor = {
      width: Number(size?.getAttribute("Width")),
      height: Number(size?.getAttribute("Height")),
      tileSize: Number(image.getAttribute("TileSize")),
      tileOverlap: Number(image.getAttribute("Overlap")),
      fileFormat: image.getAttribute("Format") ?? "jpeg",
      tilesUrl: `${this.#imageUrl(imageId)}_files/`,
    };
    if (!(descriptor.width > 0 && descriptor.height > 0 && descriptor.tileSize > 0)) {
      throw new RequestError("server", "The slide's DeepZoom descriptor cannot be read.");
    }
    return descriptor;
  }

  /**
   * Return an associated image.
   * @param {string} imageId
   * @param {"label" | "thumbnail" | "macro"} name
   * @param {AbortSignal} [signal]
   * @returns {Promise<Blob | null>} null if the slide has no such image
   */
  async getAssociatedImage(imageId, name, signal) {
    try {
      const response = await this.#getImage(`${this.#imageUrl(imageId)}_files/${name}.jpeg`, signal);
      return await response.blob();
    } catch (error) {
      if (error instanceof RequestError && error.kind === "missing") return null;
      throw error;
    }
  }

  /**
   * Return a tile.
   * @param {string} url
   * @param {AbortSignal} signal
   * @returns {Promise<Blob>}
   */
  async getTile(url, signal) {
    return (await this.#getImage(url, signal, TILE_WAIT_MS)).blob();
  }

  /** Delete the image cookies. A failure is ignored: the cookies expire by themselves. */
  async deleteImageCookies() {
    try {
      const timeout = AbortSignal.timeout(SIGN_OUT_TIMEOUT_MS);
      await this.#send(`${this.#apiUrl}/Session`, { method: "DELETE" }, restAuthorization, timeout);
    } catch {
      // sign out all the same
    }
  }

  /** @returns {Promise<number>} for how many seconds the new cookies are valid */
  async #requestImageCookies() {
    const response = await this.#send(`${this.#apiUrl}/Session`, { method: "POST" }, restAuthorization);
    const { seconds, session } = await response.json();
    this.#cookiesRequestId = session ?? "";
    return seconds;
  }

  /** @param {string} imageId */
  #imageUrl(imageId) {
    return `${this.#apiUrl}/DeepZoom/${encodeURIComponent(imageId)}`;
  }

  /**
   * Request an image, and repeat the request while the server is busy.
   * @param {string} url
   * @param {AbortSignal} [signal]
   * @param {number} [longestWaitMs]
   * @returns {Promise<Response>} a successful one
   */
  #getImage(url, signal, longestWaitMs) {
    return this.#retries.run(() => this.#getImageOnce(url, signal), signal, longestWaitMs);
  }

  /**
   * Request an image with the cookies. If they are refused, request it once more with new cookies.
   * @param {string} url
   * @param {AbortSignal} [signal]
   * @returns {Promise<Response>} a successful one
   */
  async #getImageOnce(url, signal) {
    const cookies = await this.#imageCookies.current();
    let response = await fetchWithin(TIMEOUT_MS, this.#withRequestId(url), {}, signal);
    if (response.status === 403) {
      await this.#imageCookies.renewed(cookies);
      response = await fetchWithin(TIMEOUT_MS, this.#withRequestId(url), {}, signal);
    }
    if (!response.ok) throw await errorFrom(response);
    return response;
  }

  /** @param {string} url */
  #withRequestId(url) {
    return this.#cookiesRequestId ? `${url}?session=${encodeURIComponent(this.#cookiesRequestId)}` : url;
  }

  /**
   * Run a GraphQL query, and repeat it while the server is busy.
   * @param {string} query
   * @param {object} variables
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>} its data
   */
  #query(query, variables, signal) {
    return this.#retries.run(() => this.#queryOnce(query, variables, signal), signal);
  }

  /**
   * @param {string} query
   * @param {object} variables
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #queryOnce(query, variables, signal) {
    const request = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query, variables }),
    };
    const response = await this.#send(this.#graphqlUrl, request, graphqlAuthorization, signal);
    const { data, errors } = await response.json();
    if (errors?.length) {
      const { errorType, errorInfo, message } = errors[0];
      const kind = GRAPHQL_KINDS[errorType] ?? "server";
      throw new RequestError(kind, message ?? "The query failed.", { current: errorInfo ?? null });
    }
    return data;
  }

  /**
   * Send a request with the token. If it is refused, send it once more with a new token.
   * @param {string} url
   * @param {RequestInit & {headers?: Record<string, string>}} request
   * @param {(token: string) => string} authorization
   * @param {AbortSignal} [signal]
   * @returns {Promise<Response>} a successful one
   */
  async #send(url, request, authorization, signal) {
    const send = (/** @type {string} */ token) => {
      const headers = { ...request.headers, Authorization: authorization(token) };
      return fetchWithin(TIMEOUT_MS, url, { ...request, headers }, signal);
    };
    const token = await this.#signIn.idToken();
    let response = await send(token);
    if (response.status === 401) response = await send(await this.#signIn.renewed(token));
    if (!response.ok) throw await errorFrom(response);
    return response;
  }
}

/**
 * @param {number} timeoutMs
 * @param {string} url
 * @param {RequestInit} request
 * @param {AbortSignal} [signal] the caller's own; its abort is thrown unchanged
 */
async function fetchWithin(timeoutMs, url, request, signal) {
  const signals = [AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
  try {
    return await fetch(url, { ...request, signal: AbortSignal.any(signals) });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new RequestError("network", "The server does not answer. Check your connection and try again.", { cause });
  }
}

/**
 * @param {Response} response an unsuccessful one
 * @returns {Promise<RequestError>}
 */
async function errorFrom(response) {
  const detail = await problemDetail(response);
  switch (response.status) {
    case 400:
      return new RequestError("invalid", detail ?? "The request is not valid.");
    case 401:
      return new RequestError("signed-out", "The server does not accept your sign-in. Sign out, then sign in again.");
    case 403:
      return new RequestError("forbidden", detail ?? "Ask an administrator for access.");
    case 404:
      return new RequestError("missing", detail ?? "The server found nothing at this address.");
    case 409:
      return new RequestError("conflict", detail ?? "The current state does not allow this.");
    case 429: // API Gateway's and AppSync's own limits
    case 503: {
      const retryAfterMs = retryAfter(response.headers.get("Retry-After"));
      return new RequestError("busy", detail ?? "Try again in a minute.", { retryAfterMs });
    }
    default:
      return new RequestError("server", detail ?? `The server answered with status ${response.status}.`);
  }
}

/**
 * Return the message of an RFC 9457 problem response.
 * @param {Response} response
 * @returns {Promise<string | null>}
 */
async function problemDetail(response) {
  if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) return null;
  try {
    const { title, detail, instance } = await response.json();
    const text = detail ?? title;
    return text && response.status >= 500 && instance ? `${text} (request ${instance})` : (text ?? null);
  } catch {
    return null; // the body is not JSON: use the status
  }
}
