// Errors of requests, with texts for the user.

/**
 * - `signed-out`: the user is signed out, or the sign-in has expired
 * - `forbidden`: the user is signed in but lacks the permission
 * - `missing`: the object does not exist
 * - `invalid`: the request or its input is not valid
 * - `conflict`: the object's current state does not allow the request
 * - `busy`: the server is overloaded; the request was repeated without success
 * - `network`: no response
 * - `server`: any other error response
 * @typedef {"signed-out" | "forbidden" | "missing" | "invalid" | "conflict" | "busy" | "network" | "server"} ErrorKind
 */

/** @type {Record<ErrorKind, string>} */
export const TITLES = {
  "signed-out": "Your sign-in has expired",
  forbidden: "You do not have permission",
  missing: "Not found",
  invalid: "The server rejected the request",
  conflict: "Not possible in the current state",
  busy: "The server is busy",
  network: "The server cannot be reached",
  server: "The server reported an error",
};

/** A failed request. `title` and `message` can be shown to the user. */
export class RequestError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message one sentence: what happened or what to do
   * @param {{cause?: unknown, current?: import("../record.js").Slide | null, retryAfterMs?: number | null}} [options]
   *   `current`: the current record, if an edit named an older version; `retryAfterMs`: the wait that a busy server
   *   asked for
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
 * Describe any thrown value by a headline and a sentence.
 * @param {unknown} error
 * @returns {{title: string, detail: string}}
 */
export function describe(error) {
  if (error instanceof RequestError) return { title: error.title, detail: sentence(error.message) };
  return { title: "Something went wrong", detail: error instanceof Error ? error.message : String(error) };
}

/**
 * Turn a server's message into a sentence.
 * @param {string} text for example `the slide is deleted`
 * @returns {string} starting with a capital letter and ending with a full stop
 */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
