// The live connection: one WebSocket on which AppSync tells of changed slides.
//
// Its protocol is that of "Building a real-time WebSocket client" in AppSync's developer guide. A message names the
// slide and has its version, statuses and progress; the record is to be read with the user's token.

import { claimsOf } from "./auth.js";

/**
 * @typedef {object} Change
 * @property {string} ImageID
 * @property {number | null} [Version]
 * @property {string | null} [Status]
 * @property {string | null} [ImportStatus]
 * @property {number | null} [TilesRendered]
 * @property {number | null} [TilesTotal]
 *
 * @typedef {{liveUrl?: string, graphqlUrl: string}} LiveConfig
 * @typedef {Pick<import("./auth.js").SignIn, "idToken" | "renewed">} Tokens
 */

const SUBSCRIPTION = "subscription { onSlideChange { ImageID Version Status ImportStatus TilesRendered TilesTotal } }";
const PROTOCOL = "graphql-ws";
/** A connection that is not acknowledged within this time is given up. */
const CONNECT_TIMEOUT_MS = 15_000;
/** How long to wait for a sign of life if the server does not say it. It sends one each minute. */
const KEEP_ALIVE_MS = 300_000;
const FIRST_PAUSE_MS = 1_000;
/** A network that forbids WebSockets will hardly allow them a moment later. */
const LAST_PAUSE_MS = 300_000;
/** After this time out of sight the connection is closed: each message is paid for. */
const HIDDEN_MS = 300_000;

/**
 * Emits `change` for each changed slide (detail: a `Change`), `connected` (detail: `again`, true if changes may have been
 * missed since the page was loaded), and `lost` when a connection ends.
 */
export class Live extends EventTarget {
  #url;
  #host;
  #tokens;
  #environment;
  /** @type {WebSocket | null} */
  #socket = null;
  #running = false;
  #connected = false;
  /** Whether there was a connection before. */
  #again = false;
  #failures = 0;
  #subscriptions = 0;
  /** The token of the connection, which was refused if a connection fails for it. */
  #token = "";
  /** @type {Record<"retry" | "silence" | "token" | "hidden", ReturnType<typeof setTimeout> | undefined>} */
  #timers = { retry: undefined, silence: undefined, token: undefined, hidden: undefined };

  /**
   * @param {LiveConfig} config without `liveUrl` there is no connection
   * @param {Tokens} tokens
   * @param {{WebSocket?: typeof WebSocket, random?: () => number, base?: string}} [environment]
   */
  constructor(
    config,
    tokens,
    { WebSocket: Socket = globalThis.WebSocket, random = Math.random, base = globalThis.location?.href } = {},
  ) {
    super();
    this.#url = config.liveUrl ? new URL(config.liveUrl, base) : null;
    if (this.#url) this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#host = new URL(config.graphqlUrl, base).host;
    this.#tokens = tokens;
    this.#environment = { Socket, random };
  }

  /** @returns {boolean} whether changes are told at present */
  get connected() {
    return this.#connected;
  }

  /** Connect, and connect again whenever the connection ends. */
  start() {
    if (this.#running || !this.#url) return;
    this.#running = true;
    void this.#connect();
  }

  /** End the connection. */
  stop() {
    this.#running = false;
    this.#failures = 0;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#close();
  }

  /** Connect now if the connection waits for another attempt, because the network is there again. */
  hurry() {
    if (!this.#running || this.#socket || this.#timers.retry === undefined) return;
    clearTimeout(this.#timers.retry);
    this.#failures = 0;
    void this.#connect();
  }

  /**
   * Close the connection some minutes after the page was hidden, and connect again when it is shown.
   * @param {boolean} visible
   */
  show(visible) {
    clearTimeout(this.#timers.hidden);
    if (visible) this.start();
    else if (this.#running) this.#timers.hidden = setTimeout(() => this.stop(), HIDDEN_MS);
  }

  async #connect() {
    this.#timers.retry = undefined;
    let token;
    try {
      token = await this.#tokens.idToken();
    } catch {
      this.#retry();
      return;
    }
    if (!this.#running || this.#socket) return;
    this.#token = token;
    const header = base64Url(JSON.stringify(this.#authorization(token)));
    let socket;
    try {
      socket = new this.#environment.Socket(/** @type {URL} */ (this.#url), [PROTOCOL, `header-${header}`]);
    } catch {
      this.#retry(); // the content security policy forbids the address
      return;
    }
    this.#socket = socket;
    this.#expect(CONNECT_TIMEOUT_MS);
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "connection_init" })));
    socket.addEventListener("message", ({ data }) => socket === this.#socket && this.#receive(data));
    socket.addEventListener("close", () => socket === this.#socket && this.#lose());
  }

  /** @param {unknown} data */
  #receive(data) {
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      return;
    }
    switch (message?.type) {
      case "connection_ack":
        this.#keepAliveMs = message.payload?.connectionTimeoutMs ?? KEEP_ALIVE_MS;
        this.#expect(CONNECT_TIMEOUT_MS);
        this.#subscribe(this.#token);
        break;
      case "ka":
        if (this.#connected) this.#expect(this.#keepAliveMs);
        break;
      case "start_ack":
        this.#subscribed(message.id);
        break;
      case "data": {
        this.#expect(this.#keepAliveMs);
        const change = message.payload?.data?.onSlideChange;
        if (change?.ImageID) this.#emit("change", change);
        break;
      }
      case "error":
      case "connection_error":
        void this.#refused(message.payload?.errors?.[0]?.errorType);
        break;
    }
  }

  #keepAliveMs = KEEP_ALIVE_MS;

  /** @param {string} token */
  #subscribe(token) {
    this.#subscriptions += 1;
    const data = JSON.stringify({ query: SUBSCRIPTION, variables: {} });
    const extensions = { authorization: this.#authorization(token) };
    this.#send({ id: String(this.#subscriptions), type: "start", payload: { data, extensions } });
    clearTimeout(this.#timers.token);
    const { exp, iat } = claimsOf(token);
    this.#timers.token = setTimeout(() => void this.#renew(token), Math.max(exp - iat, 60) * 1000);
  }

  /** @param {string} id */
  #subscribed(id) {
    this.#expect(this.#keepAliveMs);
    if (this.#connected) {
      this.#send({ id: String(Number(id) - 1), type: "stop" }); // that of the token before
      return;
    }
    this.#connected = true;
    this.#failures = 0;
    const again = this.#again;
    this.#again = true;
    this.#emit("connected", { again });
  }

  /**
   * Subscribe with a new token before the subscription of the old one is stopped: who is no longer allowed to see slides
   * is told of no more changes.
   * @param {string} old
   */
  async #renew(old) {
    const socket = this.#socket;
    try {
      const token = await this.#tokens.renewed(old);
      if (socket && socket === this.#socket) this.#subscribe(token);
    } catch {
      if (socket && socket === this.#socket) this.#lose();
    }
  }

  /** @param {string | undefined} kind */
  async #refused(kind) {
    const token = this.#token;
    this.#lose();
    // the next attempt takes the new one
    if (kind === "UnauthorizedException") await this.#tokens.renewed(token).catch(() => {});
  }

  /** @param {number} timeoutMs within which the server has to send something */
  #expect(timeoutMs) {
    clearTimeout(this.#timers.silence);
    this.#timers.silence = setTimeout(() => this.#lose(), timeoutMs);
  }

  #lose() {
    this.#close();
    this.#retry();
  }

  #close() {
    clearTimeout(this.#timers.silence);
    clearTimeout(this.#timers.token);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    if (!this.#connected) return;
    this.#connected = false;
    this.#emit("lost", null);
  }

  #retry() {
    if (!this.#running) return;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LAST_PAUSE_MS);
    this.#failures += 1;
    // not all pages at the same moment, after AppSync has closed their connections
    this.#timers.retry = setTimeout(() => void this.#connect(), pauseMs * (0.5 + this.#environment.random() / 2));
  }

  /** @param {object} message */
  #send(message) {
    this.#socket?.send(JSON.stringify(message));
  }

  /**
   * @param {string} token
   * @returns {object} what a browser cannot send as headers
   */
  #authorization(token) {
    return { Authorization: token, host: this.#host };
  }

  /**
   * @param {"change" | "connected" | "lost"} type
   * @param {unknown} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {string} text ASCII */
function base64Url(text) {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
