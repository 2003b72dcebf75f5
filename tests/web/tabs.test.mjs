// Tabs share the sign-in.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { beforeEach, test } from "node:test";

import { SignIn } from "../../web/src/api/auth.js";
import { SignInTabs } from "../../web/src/api/tabs.js";

// Every browser has them; Node only since versions 20 and 19.
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail }) {
    super(type);
    this.detail = detail;
  }
};

const CONFIG = { authorizeUrl: "https://login/authorize", tokenUrl: "https://login/token", clientId: "viewer" };

let channels;
let held;
let answer;

/** A channel that delivers to the other tabs at once. */
class Channel extends EventTarget {
  postMessage(data) {
    for (const other of channels) {
      if (other !== this) other.dispatchEvent(Object.assign(new Event("message"), { data: structuredClone(data) }));
    }
  }
}

const locks = {
  query: async () => ({ held }),
  request: async (name, _, callback) => {
    const lock = { name };
    held.push(lock);
    await callback();
    held.splice(held.indexOf(lock), 1);
  },
};

const token = (user, number) =>
  ["{}", JSON.stringify({ iat: 1000, exp: 4600 + number, "cognito:username": user }), ""]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");
const granted = (user, number, more) => () => Response.json({ id_token: token(user, number), ...more });

function newTab({ frozen = false } = {}) {
  const items = new Map();
  const storage = {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
  const fetch = async () => answer();
  const signIn = new SignIn(CONFIG, { redirectUri: "https://viewer/", storage, now: () => 0, fetch });
  const channel = new Channel();
  const tabs = new SignInTabs(signIn, channel, locks, 1);
  if (!frozen) channels.push(channel);
  const events = [];
  signIn.addEventListener("ended", ({ detail }) => events.push(detail.signedOut ? "signed-out" : "expired"));
  tabs.addEventListener("available", () => events.push("available"));
  return { signIn, tabs, events, items };
}

async function signedIn(user = "ann", options) {
  const tab = newTab(options);
  const url = new URL(await tab.signIn.signInUrl(""));
  answer = granted(user, 0, { refresh_token: "r1" });
  await tab.signIn.completeSignIn(new URLSearchParams({ code: "c", state: url.searchParams.get("state") }));
  return tab;
}

beforeEach(() => {
  channels = [];
  held = [];
});

test("a new tab takes the sign-in over from another, and keeps it", async () => {
  const first = await signedIn();
  const second = newTab();
  assert.equal(second.signIn.active, false);
  assert.equal(await second.tabs.takeOver(), true);
  assert.deepEqual(second.signIn.tokens, first.signIn.tokens);
  assert.equal(second.items.size, 1, "a reload keeps it");
  first.signIn.end();
  const third = newTab();
  assert.equal(await third.tabs.takeOver(), true, "the second tab hands it over as well");
});

test("without a tab that is signed in there is nothing to wait for", async () => {
  newTab();
  assert.equal(await newTab().tabs.takeOver(), false);
  const first = await signedIn();
  first.tabs.signOut();
  await Promise.resolve();
  assert.equal(await newTab().tabs.takeOver(), false);
});

test("a frozen tab does not answer: the new one is signed out", async () => {
  await signedIn("ann", { frozen: true });
  assert.equal(held.length, 1);
  assert.equal(await newTab().tabs.takeOver(), false);
});

test("signing out in one tab signs out all", async () => {
  const first = await signedIn();
  const second = newTab();
  await second.tabs.takeOver();
  second.tabs.signOut();
  assert.equal(first.signIn.active, false);
  assert.equal(first.items.size, 0);
  assert.deepEqual([first.events, second.events], [["signed-out"], ["expired"]]);
});

test("signing out while a token is renewed does not sign in again", async () => {
  const first = await signedIn();
  const second = newTab();
  await second.tabs.takeOver();
  answer = () => {
    first.tabs.signOut();
    return granted("ann", 1)();
  };
  await assert.rejects(second.signIn.renewed(second.signIn.tokens.idToken), { kind: "signed-out" });
  assert.equal(second.signIn.active, false);
  assert.equal(second.items.size, 0);
});

test("an expired sign-in ends in its own tab; the next sign-in is offered to it", async () => {
  const first = await signedIn();
  const second = newTab();
  await second.tabs.takeOver();
  first.signIn.end();
  assert.equal(second.signIn.active, true);
  second.signIn.end();
  await signedIn();
  assert.deepEqual(first.events, ["expired", "available"]);
  assert.deepEqual(second.events, ["expired", "available"]);
});

test("a renewed token reaches the other tabs of this user only", async () => {
  const ann = await signedIn("ann");
  const also = newTab();
  await also.tabs.takeOver();
  const bob = await signedIn("bob");
  answer = granted("ann", 1);
  const renewed = await ann.signIn.renewed(ann.signIn.tokens.idToken);
  assert.equal(renewed, token("ann", 1));
  assert.equal(await also.signIn.idToken(), renewed);
  assert.equal(await bob.signIn.idToken(), token("bob", 0));
});
