// What can go wrong between this page and the servers, in words for the person who reads them.

/**
 * - `session`: signed out, or the session is over
 * - `forbidden`: signed in, but without the right
 * - `missing`: the thing does not exist
 * - `invalid`: what was asked or typed makes no sense to the server
 * - `conflict`: it contradicts what is there
 * - `busy`: the server cannot answer just now, and was asked more than once
 * - `network`: no answer
 * - `server`: an answer that is an error
 * @typedef {"session" | "forbidden" | "missing" | "invalid" | "conflict" | "busy" | "network" | "server"} ErrorKind
 */

/** @type {Record<ErrorKind, string>} */
export const TITLES = {
  session: "Your session has ended",
  forbidden: "You have no right to this",
  missing: "Not found",
  invalid: "The server does not take this",
  conflict: "Not possible as things are",
  busy: "The server is busy",
  network: "The server cannot be reached",
  server: "The server reported an error",
};

/** A failed request; `title` and `message` are fit to be shown. */
export class RequestError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message one sentence: what happened, or what to do
   * @param {{cause?: unknown, current?: import("../record.js").Slide | null, retryAfterMs?: number | null}} [options]
   *   `current`: what a record is now, where an edit was of an older one; `retryAfterMs`: when to ask a busy server again
   */
  constructor(kind, message, { current = null, retryAfterMs = null, ...options } = {}) {
    super(message, options);
    this.name = "RequestError";
    this.kind = kind;
    this.current = current;
    this.retryAfterMs = retryAfterMs;
  }

  /** @returns {string} a headline */
  get title() {
    return TITLES[this.kind];
  }
}

/**
 * Any thrown value as a headline and a sentence.
 * @param {unknown} error
 * @returns {{title: string, detail: string}}
 */
export function describe(error) {
  if (error instanceof RequestError) return { title: error.title, detail: sentence(error.message) };
  return { title: "Something went wrong", detail: error instanceof Error ? error.message : String(error) };
}

/**
 * @param {string} text such as the servers' `the slide is deleted`
 * @returns {string} with a capital and a full stop
 */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
