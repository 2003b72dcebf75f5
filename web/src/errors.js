// What can go wrong between this page and the servers, in words for the person who reads them.

/**
 * - `session`: signed out, or the session is over
 * - `forbidden`: signed in, but without the right
 * - `missing`: the thing does not exist
 * - `network`: no answer
 * - `server`: an answer that is an error
 * @typedef {"session" | "forbidden" | "missing" | "network" | "server"} ErrorKind
 */

/** @type {Record<ErrorKind, string>} */
const TITLES = {
  session: "Your session has ended",
  forbidden: "You have no right to see this",
  missing: "Not found",
  network: "The server cannot be reached",
  server: "The server reported an error",
};

/** A failed request; `title` and `message` are fit to be shown. */
export class RequestError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message one sentence: what happened, or what to do
   * @param {{cause?: unknown}} [options]
   */
  constructor(kind, message, options) {
    super(message, options);
    this.name = "RequestError";
    this.kind = kind;
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
  if (error instanceof RequestError) return { title: error.title, detail: error.message };
  return { title: "Something went wrong", detail: error instanceof Error ? error.message : String(error) };
}
