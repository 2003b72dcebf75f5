// Repeats requests while the server is busy. The server can say in Retry-After how long to wait.

import { RequestError } from "./errors.js";

/** How often a request is repeated. */
const MAX_RETRIES = 3;
/** The first wait if the server does not send Retry-After. Each further wait is twice as long. */
const FIRST_WAIT_MS = 2_000;
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** Random extra share of each wait, so that pages refused at the same moment do not all retry at the same moment. */
const JITTER = 0.2;
/** The user is not notified of waits shorter than this. */
const NOTIFY_AFTER_MS = 3_000;

export class Retries {
  #onWaiting;
  #sleep;
  #random;
  #notifyAfterMs;
  #waiting = 0;
  #notified = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {(waiting: boolean) => void} onWaiting called with true when a request has been waiting for a while, and with
   *   false when none is waiting any more
   * @param {{sleep?: typeof sleepFor, random?: () => number, notifyAfterMs?: number}} [options]
   */
  constructor(onWaiting, { sleep = sleepFor, random = Math.random, notifyAfterMs = NOTIFY_AFTER_MS } = {}) {
    this.#onWaiting = onWaiting;
    this.#sleep = sleep;
    this.#random = random;
    this.#notifyAfterMs = notifyAfterMs;
  }

  /**
   * Send a request, and repeat it while the server is busy.
   * @template T
   * @param {() => Promise<T>} send
   * @param {AbortSignal} [signal]
   * @param {number} [longestMs] the longest wait, even if the server asks for more
   * @returns {Promise<T>}
   * @throws {RequestError} kind `busy` if the server still is
   */
  async run(send, signal, longestMs = LONGEST_WAIT_MS) {
    let waits = 0;
    try {
      for (;;) {
        try {
          return await send();
        } catch (error) {
          const busy = error instanceof RequestError && error.kind === "busy";
          if (!busy || waits === MAX_RETRIES) throw error;
          const requestedMs = error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** waits;
          if (waits === 0) this.#count(1);
          waits += 1;
          const bounded = Math.min(Math.max(requestedMs, SHORTEST_WAIT_MS), longestMs);
          await this.#sleep(bounded * (1 + JITTER * this.#random()), signal);
        }
      }
    } finally {
      if (waits > 0) this.#count(-1);
    }
  }

  /** @param {number} more */
  #count(more) {
    this.#waiting += more;
    if (this.#waiting === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      if (this.#notified) this.#onWaiting(false);
      this.#notified = false;
    } else {
      this.#timer ??= setTimeout(() => {
        this.#notified = true;
        this.#onWaiting(true);
      }, this.#notifyAfterMs);
    }
  }
}

/**
 * Parse a Retry-After header.
 * @param {string | null} header seconds or a date
 * @param {number} [now] milliseconds
 * @returns {number | null} milliseconds to wait; null if the header is missing or not valid
 */
export function retryAfter(header, now = Date.now()) {
  if (!header) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(ms, 0) : null;
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>} rejected if aborted before
 */
function sleepFor(ms, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
