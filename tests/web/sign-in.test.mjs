// Signing in, and staying signed in.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { beforeEach, test } from "node:test";

import { Session } from "../../web/src/api/auth.js";
import { challengeOf, randomText } from "../../web/src/api/pkce.js";

// Every browser has it; Node only since version 20.
globalThis.crypto ??= webcrypto;

const LIFE_S = 3600;
const CONFIG = { authorizeUrl: "https://login/authorize", tokenUrl: "https://login/token", clientId: "viewer" };

let now;
let requests;
let answer;
let storage;

const newSession = () =>
  new Session(CONFIG, {
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
  const session = newSession();
  const url = new URL(await session.signInUrl("#slide=1"));
  answer = granted("first", { refresh_token: "r1" });
  await session.completeSignIn(new URLSearchParams({ code: "c", state: url.searchParams.get("state") }));
  requests = [];
  return session;
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

test("the challenge is RFC 7636's, appendix B", async () => {
  assert.equal(
    await challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  );
});

test("random texts are long, clean and never the same", () => {
  const texts = Array.from({ length: 1000 }, randomText);
  assert.equal(new Set(texts).size, 1000);
  for (const text of texts) assert.match(text, /^[A-Za-z0-9_-]{43}$/);
});

test("a sign-in sends the verifier of its own challenge, and leads back", async () => {
  const session = newSession();
  const asked = new URL(await session.signInUrl("#slide=1")).searchParams;
  answer = granted("first", { refresh_token: "r1" });
  const reply = new URLSearchParams({ code: "c", state: asked.get("state") });
  assert.equal(await session.completeSignIn(reply), "#slide=1");
  assert.equal(await challengeOf(requests[0].code_verifier), asked.get("code_challenge"));
  assert.equal(requests[0].redirect_uri, asked.get("redirect_uri"));
  assert.equal(await session.idToken(), token("first"));
  assert.equal(newSession().user, "first@ä.org", "it survives a reload");
  await assert.rejects(session.completeSignIn(reply), { kind: "session" }, "an answer is good for one try");
});

test("an answer with another state is refused without asking for tokens", async () => {
  const session = newSession();
  await session.signInUrl("");
  await assert.rejects(session.completeSignIn(new URLSearchParams({ code: "c", state: "x" })), { kind: "session" });
  assert.equal(requests.length, 0);
  assert.equal(session.active, false);
});

test("a token about to expire is renewed once, however many ask", async () => {
  const session = await signedIn();
  now += (LIFE_S - 61) * 1000;
  assert.equal(await session.idToken(), token("first"));
  now += 2000;
  answer = granted("second");
  const tokens = await Promise.all(Array.from({ length: 20 }, () => session.idToken()));
  assert.deepEqual(new Set(tokens), new Set([token("second")]));
  assert.deepEqual(requests, [{ client_id: "viewer", grant_type: "refresh_token", refresh_token: "r1" }]);
  assert.equal(await session.renewed(token("first")), token("second"), "a late refusal of the old token asks nothing");
});

test("while the sign-in service is away, a living token serves and a dead one is a network error", async () => {
  const session = await signedIn();
  answer = () => {
    throw new TypeError("unreachable");
  };
  now += (LIFE_S - 10) * 1000;
  assert.equal(await session.idToken(), token("first"));
  now += 20_000;
  await assert.rejects(session.idToken(), { kind: "network" });
  assert.equal(session.active, true, "the session is not over");
});

for (const [status, kind] of [
  [429, "busy"],
  [503, "busy"],
  [500, "server"],
]) {
  test(`a sign-in service that answers ${status} ends no session`, async () => {
    const session = await signedIn();
    answer = () => new Response("", { status, headers: { "Retry-After": "7" } });
    now += LIFE_S * 1000;
    await assert.rejects(session.idToken(), { kind, retryAfterMs: kind === "busy" ? 7_000 : null });
    answer = granted("second");
    assert.equal(await session.idToken(), token("second"));
  });
}

test("a refused renewal ends the session, once", async () => {
  const session = await signedIn();
  let ended = 0;
  session.addEventListener("ended", () => (ended += 1));
  answer = refused;
  now += LIFE_S * 1000;
  const results = await Promise.allSettled([session.idToken(), session.idToken()]);
  for (const { reason } of results) assert.equal(reason.kind, "session");
  assert.equal(ended, 1);
  assert.equal(newSession().active, false);
});
