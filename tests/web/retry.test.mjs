// A server that is busy: asked again when it says, told of calmly, given up in the end.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Api } from "../../web/src/api/api.js";
import { RequestError } from "../../web/src/api/errors.js";
import { Retries, retryAfter } from "../../web/src/api/retry.js";

const busy = (retryAfterMs) => new RequestError("busy", "try again later", { retryAfterMs });
let waits;
let told;

beforeEach(() => {
  waits = [];
  told = [];
});

const newRetries = (random = () => 0) =>
  new Retries((waiting) => told.push(waiting), { sleep: async (ms) => void waits.push(ms), random });

/** Refuses with these errors, one after the other, then answers. */
const refusing = (...errors) => async () => {
  if (errors.length) throw errors.shift();
  return "answer";
};

test("it waits what the server says, within bounds", async () => {
  assert.equal(await newRetries().run(refusing(busy(5_000), busy(0), busy(3_600_000))), "answer");
  assert.deepEqual(waits, [5_000, 1_000, 30_000]);
  waits = [];
  await newRetries().run(refusing(busy(30_000)), undefined, 10_000);
  assert.deepEqual(waits, [10_000]);
});

test("where the server does not say, each wait is twice the one before", async () => {
  await newRetries().run(refusing(busy(null), busy(null), busy(null)));
  assert.deepEqual(waits, [2_000, 4_000, 8_000]);
});

test("pages come back one by one", async () => {
  await newRetries(() => 0.5).run(refusing(busy(10_000)));
  assert.deepEqual(waits, [11_000]);
});

test("after three waits it is told, and so is another error at once", async () => {
  const fourth = busy(1_000);
  await assert.rejects(newRetries().run(refusing(busy(1), busy(1), busy(1), fourth)), (error) => error === fourth);
  assert.equal(waits.length, 3);
  await assert.rejects(newRetries().run(refusing(new RequestError("conflict", "no"))), { kind: "conflict" });
  assert.equal(waits.length, 3);
});

test("a person is told of long waits only, and once for all requests", async () => {
  await newRetries().run(refusing(busy(1), busy(1)));
  assert.deepEqual(told, []);
  const going = [];
  const sleep = () => new Promise((resolve) => going.push(resolve));
  const retries = new Retries((waiting) => told.push(waiting), { sleep, tellAfterMs: 0 });
  const both = [retries.run(refusing(busy(1))), retries.run(refusing(busy(1)))];
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(told, [true]);
  going.shift()();
  await both[0];
  assert.deepEqual(told, [true]);
  going.shift()();
  await both[1];
  assert.deepEqual(told, [true, false]);
  await retries.run(async () => "at once");
  assert.deepEqual(told, [true, false]);
});

test("who leaves waits no longer", async () => {
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

const session = { idToken: async () => "token", renewed: async () => "token" };
const problem = (status, headers) =>
  new Response(JSON.stringify({ title: "Busy", detail: "try again later" }), {
    status,
    headers: { "Content-Type": "application/problem+json", ...headers },
  });

for (const [name, refusal] of [
  ["a 503", () => problem(503, { "Retry-After": "1" })],
  ["a gateway's 429", () => new Response("{}", { status: 429, headers: { "Retry-After": "1" } })],
]) {
  test(`the API asks again after ${name}`, async (context) => {
    const answers = [refusal(), Response.json({ Images: [] })];
    context.mock.method(globalThis, "fetch", async () => answers.shift());
    const api = new Api({ apiUrl: "https://api", graphqlUrl: "https://api/graphql" }, session, () => {});
    assert.deepEqual(await api.removeImages("DELETE", []), []);
    assert.equal(answers.length, 0);
  });
}

test("an edit that was refused is sent again as it was", async (context) => {
  const refused = { errors: [{ errorType: "ServiceUnavailable", message: "try again later" }] };
  const answers = [refused, { data: { updateSlide: { ImageID: "1" } } }];
  const sent = [];
  context.mock.method(globalThis, "fetch", async (url, { body }) => {
    sent.push(body);
    return Response.json(answers.shift());
  });
  const api = new Api({ apiUrl: "https://api", graphqlUrl: "https://api/graphql" }, session, () => {});
  assert.deepEqual(await api.updateSlide("1", 7, { SlideID: "S-1" }), { ImageID: "1" });
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
});

test("of many slides those that were not taken are asked for again", async (context) => {
  const taken = (ImageID, status) => ({ ImageID, status, detail: "…" });
  const answers = [[taken("1", 202), taken("2", 503), taken("3", 409)], [taken("2", 202)]];
  const asked = [];
  context.mock.method(globalThis, "fetch", async (url, { body }) => {
    asked.push(JSON.parse(body).Images.map(({ ImageID }) => ImageID));
    return Response.json({ Images: answers.shift() });
  });
  const api = new Api({ apiUrl: "https://api", graphqlUrl: "https://api/graphql" }, session, () => {});
  const slides = ["1", "2", "3"].map((ImageID) => ({ ImageID }));
  const results = await api.removeImages("DELETE", slides);
  assert.deepEqual(results, [taken("1", 202), taken("2", 202), taken("3", 409)]);
  assert.deepEqual(asked, [["1", "2", "3"], ["2"]]);
});
