// Requests to a busy server: when they are repeated, when the user is notified, when they fail.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Api } from "../../web/src/api/api.js";
import { RequestError } from "../../web/src/api/errors.js";
import { Retries, retryAfter } from "../../web/src/api/retry.js";

const busy = (retryAfterMs) => new RequestError("busy", "try again later", { retryAfterMs });
let waits;
let notified;

beforeEach(() => {
  waits = [];
  notified = [];
});

const newRetries = (random = () => 0) =>
  new Retries((waiting) => notified.push(waiting), { sleep: async (ms) => void waits.push(ms), random });

/** Throws these errors one after the other, then answers. */
const refusing =
  (...errors) =>
  async () => {
    if (errors.length) throw errors.shift();
    return "answer";
  };

test("it waits as long as the server asks for, within limits", async () => {
  assert.equal(await newRetries().run(refusing(busy(5_000), busy(0), busy(3_600_000))), "answer");
  assert.deepEqual(waits, [5_000, 1_000, 30_000]);
  waits = [];
  await newRetries().run(refusing(busy(30_000)), undefined, 10_000);
  assert.deepEqual(waits, [10_000]);
});

test("without Retry-After each wait is twice as long as the one before", async () => {
  await newRetries().run(refusing(busy(null), busy(null), busy(null)));
  assert.deepEqual(waits, [2_000, 4_000, 8_000]);
});

test("the waits are randomized, so that pages do not all retry at once", async () => {
  await newRetries(() => 0.5).run(refusing(busy(10_000)));
  assert.deepEqual(waits, [11_000]);
});

test("after three waits the error is thrown, and other errors at once", async () => {
  const fourth = busy(1_000);
  await assert.rejects(newRetries().run(refusing(busy(1), busy(1), busy(1), fourth)), (error) => error === fourth);
  assert.equal(waits.length, 3);
  await assert.rejects(newRetries().run(refusing(new RequestError("conflict", "no"))), { kind: "conflict" });
  assert.equal(waits.length, 3);
});

test("the user is notified of long waits only, and once for all requests", async () => {
  await newRetries().run(refusing(busy(1), busy(1)));
  assert.deepEqual(notified, []);
  const going = [];
  const sleep = () => new Promise((resolve) => going.push(resolve));
  const retries = new Retries((waiting) => notified.push(waiting), { sleep, notifyAfterMs: 0 });
  const both = [retries.run(refusing(busy(1))), retries.run(refusing(busy(1)))];
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(notified, [true]);
  going.shift()();
  await both[0];
  assert.deepEqual(notified, [true]);
  going.shift()();
  await both[1];
  assert.deepEqual(notified, [true, false]);
  await retries.run(async () => "at once");
  assert.deepEqual(notified, [true, false]);
});

test("an aborted request waits no longer", async () => {
  const leaving = new AbortController();
  const waiting = new Retries(() => {}).run(refusing(busy(30_000)), leaving.signal);
  await new Promise(setImmediate);
  leaving.abort();
  await assert.rejects(waiting, { name: "AbortError" });
});

test("Retry-After is seconds or a date", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  assert.equal(retryAfter("30", now), 30_000);
  assert.equal(retryAfter("Sat, 28 Nov 2026 12:00:05 GMT", now), 5_000);
  assert.equal(retryAfter("Sat, 28 Nov 2026 11:00:00 GMT", now), 0);
  for (const nothing of [null, "", "soon", "-1x"]) assert.equal(retryAfter(nothing, now), null);
});

const signIn = { idToken: async () => "token", renewed: async () => "token" };
const problem = (status, headers) =>
  new Response(JSON.stringify({ title: "Busy", detail: "try again later" }), {
    status,
    headers: { "Content-Type": "application/problem+json", ...headers },
  });

for (const [name, refusal] of [
  ["a 503", () => problem(503, { "Retry-After": "1" })],
  ["a gateway's 429", () => new Response("{}", { status: 429, headers: { "Retry-After": "1" } })],
]) {
  test(`the API repeats a request after ${name}`, async (context) => {
    const answers = [refusal(), Response.json({ Images: [] })];
    context.mock.method(globalThis, "fetch", async () => answers.shift());
    const api = new Api({ apiUrl: "https://api", graphqlUrl: "https://api/graphql" }, signIn, () => {});
    assert.deepEqual(await api.removeImages("DELETE", []), []);
    assert.equal(answers.length, 0);
  });
}

test("an edit that was refused is sent again unchanged", async (context) => {
  const refused = { errors: [{ errorType: "ServiceUnavailable", message: "try again later" }] };
  const answers = [refused, { data: { updateSlide: { ImageID: "1" } } }];
  const sent = [];
  context.mock.method(globalThis, "fetch", async (url, { body }) => {
    sent.push(body);
    return Response.json(answers.shift());
  });
  const api = new Api({ apiUrl: "https://api", graphqlUrl: "https://api/graphql" }, signIn, () => {});
  assert.deepEqual(await api.updateSlide("1", 7, { SlideID: "S-1" }), { ImageID: "1" });
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
});

test("of many slides those that were not accepted are requested again", async (context) => {
  const result = (ImageID, status) => ({ ImageID, status, detail: "…" });
  const answers = [[result("1", 202), result("2", 503), result("3", 409)], [result("2", 202)]];
  const requested = [];
  context.mock.method(globalThis, "fetch", async (url, { body }) => {
    requested.push(JSON.parse(body).Images.map(({ ImageID }) => ImageID));
    return Response.json({ Images: answers.shift() });
  });
  const api = new Api({ apiUrl: "https://api", graphqlUrl: "https://api/graphql" }, signIn, () => {});
  const slides = ["1", "2", "3"].map((ImageID) => ({ ImageID }));
  const results = await api.removeImages("DELETE", slides);
  assert.deepEqual(results, [result("1", 202), result("2", 202), result("3", 409)]);
  assert.deepEqual(requested, [["1", "2", "3"], ["2"]]);
});
