// The tabs of one browser share the sign-in: a new tab asks the others for it, and signing out ends it in all of them.

/**
 * @typedef {import("./auth.js").SignIn} SignIn
 * @typedef {import("./auth.js").Tokens} Tokens
 *
 * - `request`: a tab without a sign-in asks for one
 * - `tokens`: the answer to a request, or tokens that a tab has renewed (`to` is null)
 * - `signed-in`, `signed-out`: the user has done so in one tab
 * @typedef {{kind: "request", from: string} | {kind: "tokens", to: string | null, tokens: Tokens} |
 *   {kind: "signed-in"} | {kind: "signed-out"}} Message
 *
 * @typedef {Pick<BroadcastChannel, "postMessage" | "addEventListener">} Channel
 */

/** Tabs with a sign-in hold this lock, so that a new tab knows whether to wait for an answer. */
const LOCK = "vsv.signIn";
/** A tab that the browser has frozen holds its lock, but does not answer. */
const ANSWER_TIMEOUT_MS = 2_000;

/** The name of the channel between tabs. Browsers connect tabs of one origin only. */
export const CHANNEL = "vsv.signIn";

/**
 * Shares a tab's sign-in. Emits `available` when the user has signed in in another tab, and this one has no sign-in.
 */
export class SignInTabs extends EventTarget {
  #signIn;
  #channel;
  #locks;
  #timeoutMs;
  #id = crypto.randomUUID();
  /** @type {((tokens: Tokens | null) => void) | null} called with the answer to this tab's request */
  #answered = null;

  /**
   * @param {SignIn} signIn
   * @param {Channel} channel
   * @param {Pick<LockManager, "request" | "query">} locks
   * @param {number} [timeoutMs]
   */
  constructor(signIn, channel, locks, timeoutMs = ANSWER_TIMEOUT_MS) {
    super();
    this.#signIn = signIn;
    this.#channel = channel;
    this.#locks = locks;
    this.#timeoutMs = timeoutMs;
    channel.addEventListener("message", (event) => this.#receive(/** @type {MessageEvent<Message>} */ (event).data));
    signIn.addEventListener("signed-in", () => {
      this.#hold();
      this.#post({ kind: "signed-in" });
    });
    signIn.addEventListener("renewed", () => {
      const tokens = signIn.tokens;
      if (tokens) this.#post({ kind: "tokens", to: null, tokens });
    });
    if (signIn.active) this.#hold();
  }

  /**
   * Take over another tab's sign-in, if there is one.
   * @returns {Promise<boolean>} whether this tab is signed in now
   */
  async takeOver() {
    if (this.#signIn.active) return true;
    const { held = [] } = await this.#locks.query();
    if (!held.some(({ name }) => name === LOCK)) return false;
    const tokens = await new Promise((resolve) => {
      this.#answered = resolve;
      setTimeout(() => resolve(null), this.#timeoutMs);
      this.#post({ kind: "request", from: this.#id });
    });
    this.#answered = null;
    if (tokens === null) return false;
    this.#signIn.takeOver(tokens);
    this.#hold();
    return true;
  }

  /** Sign out in all tabs. */
  signOut() {
    this.#post({ kind: "signed-out" });
    this.#signIn.end();
  }

  /** Hold the lock until the sign-in ends. */
  #hold() {
    const ended = new Promise((resolve) => this.#signIn.addEventListener("ended", resolve, { once: true }));
    void this.#locks.request(LOCK, { mode: "shared" }, () => ended);
  }

  /** @param {Message} message */
  #receive(message) {
    const { active, tokens } = this.#signIn;
    if (message.kind === "request" && active && tokens) this.#post({ kind: "tokens", to: message.from, tokens });
    if (message.kind === "tokens" && message.to === this.#id) this.#answered?.(message.tokens);
    if (message.kind === "tokens" && message.to === null) this.#signIn.replace(message.tokens);
    if (message.kind === "signed-in" && !active) this.dispatchEvent(new Event("available"));
    if (message.kind === "signed-out") this.#signIn.end({ signedOut: true });
  }

  /** @param {Message} message */
  #post(message) {
    this.#channel.postMessage(message);
  }
}
