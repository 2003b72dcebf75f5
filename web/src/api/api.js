// The servers' side: GraphQL for the slide records and REST for what is done to slides, both with the
// user's token; and the images, by the cookies that the token opens.

import { GET_SLIDE, GET_SLIDES, SLIDE_HISTORY, UPDATE_SLIDE, listingDocument } from "./queries.js";
import { RequestError } from "./errors.js";
import { ImagePass } from "./image-cookies.js";
import { Retries, retryAfter } from "./retry.js";

/** API Gateway's Cognito authorizer takes the ID token as a bearer token. */
const restAuthorization = (/** @type {string} */ token) => `Bearer ${token}`;
/** AppSync takes it bare. */
const graphqlAuthorization = (/** @type {string} */ token) => token;

const TIMEOUT_MS = 30_000;
/** A tile is wanted soon or not at all: people pan on. */
const TILE_WAIT_MS = 10_000;
/** Nobody waits longer than this to be signed out. */
const GOODBYE_MS = 3_000;

/** AppSync's own names for errors and the API's. @type {Record<string, import("./errors.js").ErrorKind>} */
const GRAPHQL_KINDS = {
  Unauthorized: "forbidden",
  NotFound: "missing",
  BadRequest: "invalid",
  Conflict: "conflict",
  ServiceUnavailable: "busy",
};

/**
 * @typedef {import("../record.js").Slide} Slide
 * @typedef {import("./auth.js").Session} Session
 * @typedef {import("../review/changes.js").Change} Change
 * @typedef {import("../list/listing.js").Listing} Listing
 * @typedef {{limit: number, nextToken: string | null}} Page
 *
 * What became of a request for one slide: a status as HTTP has them, and a sentence.
 * @typedef {{ImageID: string, status: number, detail: string}} RemovalResult
 *
 * A DeepZoom descriptor, in the words of OpenSeadragon's DziTileSource.
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
  #session;
  #retries;
  #pass = new ImagePass(() => this.#openSession());
  /** What the edge's log is told, so that it leads to the request which got the cookies. */
  #imageSession = "";

  /**
   * @param {{apiUrl: string, graphqlUrl: string}} config
   * @param {Session} session
   * @param {(waiting: boolean) => void} onBusy called when the server has been busy for a while, and when it no longer is
   */
  constructor(config, session, onBusy) {
    this.#apiUrl = config.apiUrl;
    this.#graphqlUrl = config.graphqlUrl;
    this.#session = session;
    this.#retries = new Retries(onBusy);
  }

  /**
   * One page of slides. A page may be empty although more follow.
   * @param {Listing} listing
   * @param {Page} page
   * @param {AbortSignal} [signal]
   * @returns {Promise<{items: Slide[], nextToken: string | null}>}
   */
  async listSlides(listing, page, signal) {
    const variables = { ...listing.arguments, ...page };
    const { items, nextToken } = (await this.#query(listingDocument(listing.field), variables, signal))[listing.field];
    return { items: items.filter(Boolean), nextToken };
  }

  /**
   * @param {string} imageId
   * @param {AbortSignal} [signal]
   * @returns {Promise<Slide>}
   * @throws {RequestError} kind `missing` for an unknown slide
   */
  async getSlide(imageId, signal) {
    const { getSlide } = await this.#query(GET_SLIDE, { ImageID: imageId }, signal);
    if (!getSlide) throw new RequestError("missing", `There is no slide with the image ID “${imageId}”.`);
    return getSlide;
  }

  /**
   * @param {string[]} imageIds
   * @param {AbortSignal} [signal]
   * @returns {Promise<Slide[]>} those that exist
   */
  async getSlides(imageIds, signal) {
    const { getSlides } = await this.#query(GET_SLIDES, { ImageIDs: imageIds }, signal);
    return getSlides.filter(Boolean);
  }

  /**
   * Corrects a slide's IDs or sets its status.
   * @param {string} imageId
   * @param {number | null | undefined} version the record's that was seen
   * @param {import("../review/review.js").Edit} edit
   * @returns {Promise<Slide>} as it is then
   * @throws {RequestError} kind `conflict`, with the record as it is, where it is no longer the one that was seen
   */
  async updateSlide(imageId, version, edit) {
    const input = { ImageID: imageId, ...edit, Version: version ?? 0 };
    return (await this.#query(UPDATE_SLIDE, { input })).updateSlide;
  }

  /**
   * A page of the changes of a slide's record, the last one first.
   * @param {string} imageId
   * @param {Page} page
   * @param {AbortSignal} [signal]
   * @returns {Promise<{items: Change[], nextToken: string | null}>}
   */
  async slideHistory(imageId, page, signal) {
    return (await this.#query(SLIDE_HISTORY, { ImageID: imageId, ...page }, signal)).slideHistory;
  }

  /**
   * Asks for slides to be deleted, archived or brought back; their records tell when that is done. Those that a busy
   * server did not take are asked for again.
   * @param {import("../review/review.js").Operation} operation
   * @param {Slide[]} slides
   * @returns {Promise<RemovalResult[]>}
   */
  async removeImages(operation, slides) {
    let images = slides.map(({ ImageID, Filename }) => ({ ImageID, Filename }));
    /** @type {Map<string, RemovalResult>} */
    const results = new Map();
    const ask = async () => {
      const request = {
        method: "DELETE",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ Operation: operation, Images: images }),
      };
      const response = await this.#send(`${this.#apiUrl}/RemoveImages`, request, restAuthorization);
      for (const result of (await response.json()).Images) results.set(result.ImageID, result);
      images = images.filter(({ ImageID }) => results.get(ImageID)?.status === 503);
      if (images.length) throw new RequestError("busy", "Not all slides were taken.");
    };
    try {
      await this.#retries.run(ask);
    } catch (error) {
      if (results.size === 0) throw error; // else the results say which were not taken
    }
    return [...results.values()];
  }

  /**
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
   * @param {string} imageId
   * @param {"label" | "thumbnail" | "macro"} name
   * @param {AbortSignal} [signal]
   * @returns {Promise<Blob | null>} null where the slide has no such image
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
   * @param {string} url
   * @param {AbortSignal} signal
   * @returns {Promise<Blob>}
   */
  async getTile(url, signal) {
    return (await this.#getImage(url, signal, TILE_WAIT_MS)).blob();
  }

  /** Takes the cookies away that open images. What fails is let be: they die by themselves. */
  async endSession() {
    try {
      const farewell = AbortSignal.timeout(GOODBYE_MS);
      await this.#send(`${this.#apiUrl}/Session`, { method: "DELETE" }, restAuthorization, farewell);
    } catch {
      // signing out goes on
    }
  }

  async #openSession() {
    const response = await this.#send(`${this.#apiUrl}/Session`, { method: "POST" }, restAuthorization);
    const { seconds, session } = await response.json();
    this.#imageSession = session ?? "";
    return seconds;
  }

  /** @param {string} imageId */
  #imageUrl(imageId) {
    return `${this.#apiUrl}/DeepZoom/${encodeURIComponent(imageId)}`;
  }

  /**
   * Gets an image, as soon as the server is not too busy for it.
   * @param {string} url
   * @param {AbortSignal} [signal]
   * @param {number} [longestWaitMs]
   * @returns {Promise<Response>} a successful one
   */
  #getImage(url, signal, longestWaitMs) {
    return this.#retries.run(() => this.#askImage(url, signal), signal, longestWaitMs);
  }

  /**
   * Asks for an image with the cookies; where they are refused, once more with new ones.
   * @param {string} url
   * @param {AbortSignal} [signal]
   * @returns {Promise<Response>} a successful one
   */
  async #askImage(url, signal) {
    const pass = await this.#pass.current();
    let response = await fetchWithin(TIMEOUT_MS, this.#inSession(url), {}, signal);
    if (response.status === 403) {
      await this.#pass.renewed(pass);
      response = await fetchWithin(TIMEOUT_MS, this.#inSession(url), {}, signal);
    }
    if (!response.ok) throw await errorFrom(response);
    return response;
  }

  /** @param {string} url */
  #inSession(url) {
    return this.#imageSession ? `${url}?session=${encodeURIComponent(this.#imageSession)}` : url;
  }

  /**
   * @param {string} query
   * @param {object} variables
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  #query(query, variables, signal) {
    return this.#retries.run(() => this.#askOnce(query, variables, signal), signal);
  }

  /**
   * @param {string} query
   * @param {object} variables
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #askOnce(query, variables, signal) {
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
   * Sends with the token; where it is refused, once more with a new one.
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
    const token = await this.#session.idToken();
    let response = await send(token);
    if (response.status === 401) response = await send(await this.#session.renewed(token));
    if (!response.ok) throw await errorFrom(response);
    return response;
  }
}

/**
 * @param {number} timeoutMs
 * @param {string} url
 * @param {RequestInit} request
 * @param {AbortSignal} [signal] the caller's own; its abort is passed on as it is
 */
async function fetchWithin(timeoutMs, url, request, signal) {
  const signals = [AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
  try {
    return await fetch(url, { ...request, signal: AbortSignal.any(signals) });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new RequestError("network", "No answer. Check your connection and try again.", { cause });
  }
}

/**
 * @param {Response} response an unsuccessful one
 * @returns {Promise<RequestError>}
 */
async function errorFrom(response) {
  const said = await problemDetail(response);
  switch (response.status) {
    case 400:
      return new RequestError("invalid", said ?? "The request makes no sense to the server.");
    case 401:
      return new RequestError("session", "The server does not accept your sign-in. Sign out and in again.");
    case 403:
      return new RequestError("forbidden", said ?? "Ask for access if you need it.");
    case 404:
      return new RequestError("missing", said ?? "The server has no such thing.");
    case 409:
      return new RequestError("conflict", said ?? "It contradicts what is there.");
    case 429: // API Gateway's and AppSync's own limits
    case 503: {
      const retryAfterMs = retryAfter(response.headers.get("Retry-After"));
      return new RequestError("busy", said ?? "Try again in a minute.", { retryAfterMs });
    }
    default:
      return new RequestError("server", said ?? `The server answered with error ${response.status}.`);
  }
}

/**
 * What an RFC 9457 problem says of itself.
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
    return null; // a body that is no JSON says nothing more than its status
  }
}
