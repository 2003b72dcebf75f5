// The sign-in and its renewal.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { beforeEach, test } from "node:test";

import { SignIn } from "../../web/src/api/auth.js";
import { challengeOf, randomText } from "../../web/src/api/pkce.js";

// Every browser has it; Node only since version 20.
globalThis.crypto ??= webcrypto;

const LIFE_S = 3600;
const CONFIG = { authorizeUrl: "https://login/authorize", tokenUrl: "https://login/token", clientId: "viewer" };

let now;
let requests;
let answer;
let storage;

const newSignIn = () =>
  new SignIn(CONFIG, {
    redirectUri: "https://viewer/",
    storage,
    now: () => now,
    fetch: async (url, { body }) => {
      requests.push(Object.fromEntries(body));
      return answer();
    },
  });

/** An unsigned token whose issuer's clock is years away from ours. */
const token = (name) =>
  ["{}", JSON.stringify({ iat: 1000, exp: 1000 + LIFE_S, email: `${name}@ä.org` }), ""]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");
const granted = (name, more) => () => Response.json({ id_token: token(name), ...more });
const refused = () => Response.json({ error: "invalid_grant" }, { status: 400 });

async function signedIn() {
  const signIn = newSignIn();
  const url = new URL(await signIn.signInUrl("#slide=1"));
  answer = granted("first", { refresh_token: "r1" });
  await signIn.completeSignIn(new URLSearchParams({ code: "c", state: url.searchParams.get("state") }));
  requests = [];
  return signIn;
}

beforeEach(() => {
  now = 5_000_000;
  requests = [];
  const items = new Map();
  storage = {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
});

test("the challenge is the one of RFC 7636, appendix B", async () => {
  assert.equal(
    await challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  );
});

test("random strings are long, need no encoding and never repeat", () => {
  const texts = Array.from({ length: 1000 }, randomText);
  assert.equal(new Set(texts).size, 1000);
  for (const text of texts) assert.match(text, /^[A-Za-z0-9_-]{43}$/);
});

test("a sign-in sends the verifier of its own challenge and returns to the page", async () => {
  const signIn = newSignIn();
  const asked = new URL(await signIn.signInUrl("#slide=1")).searchParams;
  answer = granted("first", { refresh_token: "r1" });
  const reply = new URLSearchParams({ code: "c", state: asked.get("state") });
  assert.equal(await signIn.completeSignIn(reply), "#slide=1");
  assert.equal(await challengeOf(requests[0].code_verifier), asked.get("code_challenge"));
  assert.equal(requests[0].redirect_uri, asked.get("redirect_uri"));
  assert.equal(await signIn.idToken(), token("first"));
  assert.equal(newSignIn().user, "first@ä.org", "the tokens survive a reload");
  await assert.rejects(signIn.completeSignIn(reply), { kind: "signed-out" }, "a response can be used once");
});

test("a response with another state is refused without a request for tokens", async () => {
  const signIn = newSignIn();
  await signIn.signInUrl("");
  await assert.rejects(signIn.completeSignIn(new URLSearchParams({ code: "c", state: "x" })), { kind: "signed-out" });
  assert.equal(requests.length, 0);
  assert.equal(signIn.active, false);
});

test("a token about to expire is renewed once for many requests", async () => {
  const signIn = await signedIn();
  now += (LIFE_S - 61) * 1000;
  assert.equal(await signIn.idToken(), token("first"));
  now += 2000;
  answer = granted("second");
  const tokens = await Promise.all(Array.from({ length: 20 }, () => signIn.idToken()));
  assert.deepEqual(new Set(tokens), new Set([token("second")]));
  assert.deepEqual(requests, [{ client_id: "viewer", grant_type: "refresh_token", refresh_token: "r1" }]);
  assert.equal(
    await signIn.renewed(token("first")),
    token("second"),
    "a late refusal of the old token causes no request",
  );
});

test("while the sign-in service is down, a valid token is used and an expired one is a network error", async () => {
  const signIn = await signedIn();
  answer = () => {
    throw new TypeError("unreachable");
  };
  now += (LIFE_S - 10) * 1000;
  assert.equal(await signIn.idToken(), token("first"));
  now += 20_000;
  await assert.rejects(signIn.idToken(), { kind: "network" });
  assert.equal(signIn.active, true, "the user is still signed in");
});

for (const [status, kind] of [
  [429, "busy"],
  [503, "busy"],
  [500, "server"],
]) {
  test(`a sign-in service that answers ${status} does not sign the user out`, async () => {
    const signIn = await signedIn();
    answer = () => new Response("", { status, headers: { "Retry-After": "7" } });
    now += LIFE_S * 1000;
    await assert.rejects(signIn.idToken(), { kind, retryAfterMs: kind === "busy" ? 7_000 : null });
    answer = granted("second");
    assert.equal(await signIn.idToken(), token("second"));
  });
}

test("a refused renewal signs the user out, once", async () => {
  const signIn = await signedIn();
  let ended = 0;
  signIn.addEventListener("ended", () => (ended += 1));
  answer = refused;
  now += LIFE_S * 1000;
  const results = await Promise.allSettled([signIn.idToken(), signIn.idToken()]);
  for (const { reason } of results) assert.equal(reason.kind, "signed-out");
  assert.equal(ended, 1);
  assert.equal(newSignIn().active, false);
});
