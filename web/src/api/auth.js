// The signed-in session: OAuth 2.0 authorization code with PKCE against the hosted sign-in page.

import { RequestError } from "./errors.js";
import { challengeOf, randomText } from "./pkce.js";
import { retryAfter } from "./retry.js";

/**
 * @typedef {object} AuthConfig
 * @property {string} authorizeUrl
 * @property {string} tokenUrl
 * @property {string} [logoutUrl]
 * @property {string} clientId
 * @property {string} [scope]
 *
 * @typedef {{idToken: string, refreshToken: string | null, expiresAt: number}} Tokens
 */

/** Renew a token this long before it expires, so that no request leaves with a dying one. */
const RENEW_BEFORE_MS = 60_000;
const TOKENS_KEY = "vsv.tokens";
const SIGN_IN_KEY = "vsv.signIn";

/**
 * Holds the tokens of one tab. Emits `ended` when the session is over and only a new sign-in helps.
 */
export class Session extends EventTarget {
  #config;
  #redirectUri;
  #storage;
  #fetch;
  #now;
  /** @type {Tokens | null} */
  #tokens;
  /** @type {Promise<string> | null} the renewal under way: there is never more than one */
  #renewal = null;

  /**
   * @param {AuthConfig} config
   * @param {object} environment
   * @param {string} environment.redirectUri where the sign-in page sends the browser back to
   * @param {Storage} environment.storage
   * @param {typeof fetch} [environment.fetch]
   * @param {() => number} [environment.now] milliseconds
   */
  constructor(config, { redirectUri, storage, fetch = globalThis.fetch.bind(globalThis), now = Date.now }) {
    super();
    this.#config = config;
    this.#redirectUri = redirectUri;
    this.#storage = storage;
    this.#fetch = fetch;
    this.#now = now;
    this.#tokens = JSON.parse(storage.getItem(TOKENS_KEY) ?? "null");
  }

  /** @returns {boolean} whether there is a usable token, or a way to get one without the user */
  get active() {
    return this.#tokens !== null && (this.#tokens.refreshToken !== null || this.#tokens.expiresAt > this.#now());
  }

  /** @returns {string} who is signed in, for display */
  get user() {
    if (!this.#tokens) return "";
    const claims = claimsOf(this.#tokens.idToken);
    return claims.email ?? claims["cognito:username"] ?? "";
  }

  /** @returns {string[]} the groups of who is signed in: for what is shown, never for rights */
  get groups() {
    return (this.#tokens && claimsOf(this.#tokens.idToken)["cognito:groups"]) ?? [];
  }

  /**
   * The address of the sign-in page. The verifier and the state stay in this tab.
   * @param {string} returnTo the page's hash to come back to
   * @returns {Promise<string>}
   */
  async signInUrl(returnTo) {
    const verifier = randomText();
    const state = randomText();
    this.#storage.setItem(SIGN_IN_KEY, JSON.stringify({ verifier, state, returnTo }));
    return withQuery(this.#config.authorizeUrl, {
      response_type: "code",
      client_id: this.#config.clientId,
      redirect_uri: this.#redirectUri,
      scope: this.#config.scope ?? "openid profile email",
      state,
      code_challenge: await challengeOf(verifier),
      code_challenge_method: "S256",
    });
  }

  /**
   * Finishes a sign-in: called with the query that the sign-in page sent the browser back with.
   * @param {URLSearchParams} query
   * @returns {Promise<string>} the hash to return to
   * @throws {RequestError} when the answer is not one to this tab's request, or was refused
   */
  async completeSignIn(query) {
    const pending = JSON.parse(this.#storage.getItem(SIGN_IN_KEY) ?? "null");
    this.#storage.removeItem(SIGN_IN_KEY); // a code is good for one try
    if (!pending || query.get("state") !== pending.state) {
      throw new RequestError("session", "This sign-in was not started here, or is too old. Please sign in again.");
    }
    if (query.has("error")) {
      throw new RequestError("forbidden", query.get("error_description") ?? query.get("error") ?? "");
    }
    await this.#requestTokens({
      grant_type: "authorization_code",
      code: query.get("code") ?? "",
      redirect_uri: this.#redirectUri,
      code_verifier: pending.verifier,
    });
    return pending.returnTo;
  }

  /**
   * A token that is good for the next minute, renewed if need be.
   * @returns {Promise<string>}
   * @throws {RequestError}
   */
  async idToken() {
    if (!this.#tokens) throw sessionEnded();
    const { idToken, expiresAt } = this.#tokens;
    const now = this.#now();
    if (now < expiresAt - RENEW_BEFORE_MS) return idToken;
    try {
      return await this.renewed(idToken);
    } catch (error) {
      const alive = this.#tokens !== null && now < expiresAt;
      if (alive) return idToken; // not renewed yet, but not expired either
      throw error;
    }
  }

  /**
   * A token newer than one that was refused.
   * @param {string} refused
   * @returns {Promise<string>}
   * @throws {RequestError}
   */
  async renewed(refused) {
    if (!this.#tokens) throw sessionEnded();
    if (this.#tokens.idToken !== refused) return this.#tokens.idToken;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  /** Forgets the tokens. */
  end() {
    if (!this.#tokens) return;
    this.#tokens = null;
    this.#storage.removeItem(TOKENS_KEY);
    this.dispatchEvent(new Event("ended"));
  }

  /** @returns {string | null} where to go in order to end the sign-in page's own session, too */
  get signOutUrl() {
    if (!this.#config.logoutUrl) return null;
    return withQuery(this.#config.logoutUrl, { client_id: this.#config.clientId, logout_uri: this.#redirectUri });
  }

  async #renew() {
    const refreshToken = this.#tokens?.refreshToken;
    if (!refreshToken) {
      this.end();
      throw sessionEnded();
    }
    try {
      await this.#requestTokens({ grant_type: "refresh_token", refresh_token: refreshToken });
    } catch (error) {
      if (error instanceof RequestError && error.kind === "session") this.end();
      throw error;
    }
    if (!this.#tokens) throw sessionEnded(); // signed out meanwhile
    return this.#tokens.idToken;
  }

  /** @param {Record<string, string>} form */
  async #requestTokens(form) {
    let response;
    try {
      response = await this.#fetch(this.#config.tokenUrl, {
        method: "POST",
        body: new URLSearchParams({ client_id: this.#config.clientId, ...form }),
      });
    } catch (cause) {
      throw new RequestError("network", "The sign-in service does not answer. Check your connection.", { cause });
    }
    if (response.status === 503 || response.status === 429) {
      const retryAfterMs = retryAfter(response.headers.get("Retry-After"));
      throw new RequestError("busy", "The sign-in service is busy.", { retryAfterMs });
    }
    if (response.status >= 500) {
      throw new RequestError("server", `The sign-in service answered with error ${response.status}.`);
    }
    if (!response.ok) throw sessionEnded();
    const answer = await response.json();
    const { exp, iat } = claimsOf(answer.id_token);
    this.#tokens = {
      idToken: answer.id_token,
      refreshToken: answer.refresh_token ?? form.refresh_token ?? null,
      expiresAt: this.#now() + (exp - iat) * 1000, // by the token's life, not by this machine's clock
    };
    this.#storage.setItem(TOKENS_KEY, JSON.stringify(this.#tokens));
  }
}

/**
 * The claims of a JSON Web Token, unverified: for display and timing only, never for rights.
 * @param {string} token
 * @returns {Record<string, any>}
 */
export function claimsOf(token) {
  const payload = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (char) => char.charCodeAt(0))));
}

function sessionEnded() {
  return new RequestError("session", "Please sign in again to continue.");
}

/**
 * @param {string} url
 * @param {Record<string, string>} query
 */
function withQuery(url, query) {
  return `${url}?${new URLSearchParams(query)}`;
}
