// A server that is busy says when to ask again. Until it answers, or for some minutes, this page does so by itself.

import { RequestError } from "./errors.js";

/** So often what was refused is asked for again. */
const REPEATS = 3;
/** The first wait where the server does not name one; each further one is twice as long. */
const FIRST_WAIT_MS = 2_000;
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** Pages that were refused together do not come back together. */
const SPREAD = 0.2;
/** Nobody is told of what passes within this time. */
const TELL_AFTER_MS = 3_000;

export class Retries {
  #tell;
  #sleep;
  #random;
  #tellAfterMs;
  #waiting = 0;
  #told = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {(waiting: boolean) => void} tell called when a request has been waiting for a while, and when none is any more
   * @param {{sleep?: typeof sleepFor, random?: () => number, tellAfterMs?: number}} [options]
   */
  constructor(tell, { sleep = sleepFor, random = Math.random, tellAfterMs = TELL_AFTER_MS } = {}) {
    this.#tell = tell;
    this.#sleep = sleep;
    this.#random = random;
    this.#tellAfterMs = tellAfterMs;
  }

  /**
   * Asks, and again while the server is busy.
   * @template T
   * @param {() => Promise<T>} ask
   * @param {AbortSignal} [signal]
   * @param {number} [longestMs] no wait is longer than this, whatever the server says
   * @returns {Promise<T>}
   * @throws {RequestError} kind `busy` where the server still is
   */
  async run(ask, signal, longestMs = LONGEST_WAIT_MS) {
    let waits = 0;
    try {
      for (;;) {
        try {
          return await ask();
        } catch (error) {
          const busy = error instanceof RequestError && error.kind === "busy";
          if (!busy || waits === REPEATS) throw error;
          const wanted = error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** waits;
          if (waits === 0) this.#count(1);
          waits += 1;
          const bounded = Math.min(Math.max(wanted, SHORTEST_WAIT_MS), longestMs);
          await this.#sleep(bounded * (1 + SPREAD * this.#random()), signal);
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
      if (this.#told) this.#tell(false);
      this.#told = false;
    } else {
      this.#timer ??= setTimeout(() => {
        this.#told = true;
        this.#tell(true);
      }, this.#tellAfterMs);
    }
  }
}

/**
 * @param {string | null} header Retry-After: seconds, or a date
 * @param {number} [now] milliseconds
 * @returns {number | null} milliseconds to wait; null where it does not say
 */
export function retryAfter(header, now = Date.now()) {
  if (!header) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(ms, 0) : null;
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>} rejected where it is aborted before
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
