// The servers' side: GraphQL for the slide records, REST for the images, both with the user's token.

import { RequestError } from "./errors.js";

/** API Gateway's Cognito authorizer takes the ID token as a bearer token. */
const restAuthorization = (/** @type {string} */ token) => `Bearer ${token}`;
/** AppSync takes it bare. */
const graphqlAuthorization = (/** @type {string} */ token) => token;

const TIMEOUT_MS = 30_000;

const SLIDE_FIELDS = `ImageID Filename SlideID CaseID Status width height ScanDate MPP AppMag
  ImportStatus ImportError TilesRendered TilesTotal lastModified`;
const LIST_SLIDES = `query ListSlides($limit: Int, $nextToken: String) {
  listSlides(limit: $limit, nextToken: $nextToken) { items { ${SLIDE_FIELDS} } nextToken } }`;
const GET_SLIDE = `query GetSlide($ImageID: ID!) { getSlide(ImageID: $ImageID) { ${SLIDE_FIELDS} } }`;
const GET_SLIDES = `query GetSlides($ImageIDs: [ID!]!) { getSlides(ImageIDs: $ImageIDs) { ${SLIDE_FIELDS} } }`;

/**
 * @typedef {import("./record.js").Slide} Slide
 * @typedef {import("./auth.js").Session} Session
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

  /**
   * @param {{apiUrl: string, graphqlUrl: string}} config
   * @param {Session} session
   */
  constructor(config, session) {
    this.#apiUrl = config.apiUrl;
    this.#graphqlUrl = config.graphqlUrl;
    this.#session = session;
  }

  /**
   * One page of slides. A page may be empty although more follow.
   * @param {{limit: number, nextToken: string | null}} page
   * @param {AbortSignal} [signal]
   * @returns {Promise<{items: Slide[], nextToken: string | null}>}
   */
  async listSlides(page, signal) {
    return (await this.#query(LIST_SLIDES, page, signal)).listSlides;
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
   * @param {string} imageId
   * @param {AbortSignal} [signal]
   * @returns {Promise<Descriptor>}
   */
  async getDescriptor(imageId, signal) {
    const response = await this.#get(`${this.#imageUrl(imageId)}.dzi`, signal);
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
      const response = await this.#get(`${this.#imageUrl(imageId)}_files/${name}.jpeg`, signal);
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
    return (await this.#get(url, signal)).blob();
  }

  /** @param {string} imageId */
  #imageUrl(imageId) {
    return `${this.#apiUrl}/DeepZoom/${encodeURIComponent(imageId)}`;
  }

  /**
   * @param {string} url
   * @param {AbortSignal} [signal]
   */
  #get(url, signal) {
    return this.#send(url, {}, restAuthorization, signal);
  }

  /**
   * @param {string} query
   * @param {object} variables
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #query(query, variables, signal) {
    const request = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query, variables }),
    };
    const response = await this.#send(this.#graphqlUrl, request, graphqlAuthorization, signal);
    const { data, errors } = await response.json();
    if (errors?.length) {
      const kind = errors[0].errorType === "Unauthorized" ? "forbidden" : "server";
      throw new RequestError(kind, errors[0].message ?? "The query failed.");
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
    case 401:
      return new RequestError("session", "The server does not accept your sign-in. Sign out and in again.");
    case 403:
      return new RequestError("forbidden", said ?? "Ask for access if you need it.");
    case 404:
      return new RequestError("missing", said ?? "The server has no such thing.");
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
