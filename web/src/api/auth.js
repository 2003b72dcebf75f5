// The sign-in: OAuth 2.0 authorization code with PKCE, using the hosted sign-in page.

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

/** Renew a token this long before it expires, so that it cannot expire during a request. */
const RENEW_BEFORE_MS = 60_000;
const TOKENS_KEY = "vsv.tokens";
const SIGN_IN_KEY = "vsv.signIn";

/**
 * The sign-in of one tab, with its tokens. Emits `signed-in`, `renewed`, and `ended` when the user must sign in again: a
 * CustomEvent whose detail says whether the user signed out.
 */
export class SignIn extends EventTarget {
  #config;
  #redirectUri;
  #storage;
  #fetch;
  #now;
  /** @type {Tokens | null} */
  #tokens;
  /** @type {Promise<string> | null} the renewal in progress: never more than one */
  #renewal = null;

  /**
   * @param {AuthConfig} config
   * @param {object} environment
   * @param {string} environment.redirectUri the address that the sign-in page redirects to
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

  /** @returns {boolean} whether there is a valid token, or one can be requested without the user */
  get active() {
    return this.#tokens !== null && (this.#tokens.refreshToken !== null || this.#tokens.expiresAt > this.#now());
  }

  /** @returns {string} the name of the signed-in user, for display only */
  get user() {
    if (!this.#tokens) return "";
    const claims = claimsOf(this.#tokens.idToken);
    return claims.email ?? claims["cognito:username"] ?? "";
  }

  /** @returns {string[]} the groups of the signed-in user. They decide what is shown; the server checks permissions */
  get groups() {
    return (this.#tokens && claimsOf(this.#tokens.idToken)["cognito:groups"]) ?? [];
  }

  /** @returns {Tokens | null} for other tabs of this browser */
  get tokens() {
    return this.#tokens;
  }

  /**
   * Use another tab's tokens.
   * @param {Tokens} tokens
   */
  takeOver(tokens) {
    this.#keep(tokens);
  }

  /**
   * Use tokens that another tab has renewed, if they are this user's.
   * @param {Tokens} tokens
   */
  replace(tokens) {
    if (!this.#tokens) return;
    const subject = (/** @type {Tokens} */ { idToken }) => claimsOf(idToken)["cognito:username"];
    if (subject(tokens) === subject(this.#tokens) && tokens.expiresAt > this.#tokens.expiresAt) this.#keep(tokens);
  }

  /**
   * Return the URL of the sign-in page. The verifier and the state stay in this tab.
   * @param {string} returnTo the hash to return to after the sign-in
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
   * Finish a sign-in, with the query string that the sign-in page redirected to.
   * @param {URLSearchParams} query
   * @returns {Promise<string>} the hash to return to
   * @throws {RequestError} if this tab did not start the sign-in, or if it was refused
   */
  async completeSignIn(query) {
    const pending = JSON.parse(this.#storage.getItem(SIGN_IN_KEY) ?? "null");
    this.#storage.removeItem(SIGN_IN_KEY); // a code can be used once
    if (!pending || query.get("state") !== pending.state) {
      const message = "This sign-in was not started in this tab, or it has expired. Please sign in again.";
      throw new RequestError("signed-out", message);
    }
    if (query.has("error")) {
      throw new RequestError("forbidden", query.get("error_description") ?? query.get("error") ?? "");
    }
    const tokens = await this.#requestTokens({
      grant_type: "authorization_code",
      code: query.get("code") ?? "",
      redirect_uri: this.#redirectUri,
      code_verifier: pending.verifier,
    });
    this.#keep(tokens);
    this.dispatchEvent(new Event("signed-in"));
    return pending.returnTo;
  }

  /**
   * Return a token that is valid for at least another minute, renewed if necessary.
   * @returns {Promise<string>}
   * @throws {RequestError}
   */
  async idToken() {
    if (!this.#tokens) throw signedOut();
    const { idToken, expiresAt } = this.#tokens;
    const now = this.#now();
    if (now < expiresAt - RENEW_BEFORE_MS) return idToken;
    try {
      return await this.renewed(idToken);
    } catch (error) {
      const stillValid = this.#tokens !== null && now < expiresAt;
      if (stillValid) return idToken; // the next call tries to renew it again
      throw error;
    }
  }

  /**
   * Replace a token that was refused, unless it has been replaced already.
   * @param {string} refused
   * @returns {Promise<string>}
   * @throws {RequestError}
   */
  async renewed(refused) {
    if (!this.#tokens) throw signedOut();
    if (this.#tokens.idToken !== refused) return this.#tokens.idToken;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  /**
   * Delete the tokens.
   * @param {{signedOut: boolean}} [detail] whether the user signed out, else the sign-in has expired
   */
  end(detail = { signedOut: false }) {
    if (!this.#tokens) return;
    this.#tokens = null;
    this.#storage.removeItem(TOKENS_KEY);
    this.dispatchEvent(new CustomEvent("ended", { detail }));
  }

  /** @returns {string | null} the URL that signs out of the hosted sign-in page too; null if there is none */
  get signOutUrl() {
    if (!this.#config.logoutUrl) return null;
    return withQuery(this.#config.logoutUrl, { client_id: this.#config.clientId, logout_uri: this.#redirectUri });
  }

  async #renew() {
    const refreshToken = this.#tokens?.refreshToken;
    if (!refreshToken) {
      this.end();
      throw signedOut();
    }
    let tokens;
    try {
      tokens = await this.#requestTokens({ grant_type: "refresh_token", refresh_token: refreshToken });
    } catch (error) {
      if (error instanceof RequestError && error.kind === "signed-out") this.end();
      throw error;
    }
    if (!this.#tokens) throw signedOut(); // the user signed out during the request
    this.#keep(tokens);
    this.dispatchEvent(new Event("renewed"));
    return tokens.idToken;
  }

  /**
   * @param {Record<string, string>} form
   * @returns {Promise<Tokens>}
   */
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
      throw new RequestError("server", `The sign-in service answered with status ${response.status}.`);
    }
    if (!response.ok) throw signedOut();
    const body = await response.json();
    const { exp, iat } = claimsOf(body.id_token);
    return {
      idToken: body.id_token,
      refreshToken: body.refresh_token ?? form.refresh_token ?? null,
      expiresAt: this.#now() + (exp - iat) * 1000, // from the token's lifetime: this machine's clock may be wrong
    };
  }

  /** @param {Tokens} tokens */
  #keep(tokens) {
    this.#tokens = tokens;
    this.#storage.setItem(TOKENS_KEY, JSON.stringify(tokens));
  }
}

/**
 * Return the claims of a JSON Web Token without verifying it: for display and timing only, never for permissions.
 * @param {string} token
 * @returns {Record<string, any>}
 */
export function claimsOf(token) {
  const payload = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (char) => char.charCodeAt(0))));
}

function signedOut() {
  return new RequestError("signed-out", "Please sign in again to continue.");
}

/**
 * @param {string} url
 * @param {Record<string, string>} query
 */
function withQuery(url, query) {
  return `${url}?${new URLSearchParams(query)}`;
}
