// The image cookies: requested when first needed, renewed before they expire, in one request at a time.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ImageCookies } from "../../web/src/api/image-cookies.js";

const LIFE_S = 3600;
let now;
let requests;
let fails;

beforeEach(() => {
  now = 1_000_000;
  requests = 0;
  fails = false;
});

const newCookies = () =>
  new ImageCookies(
    async () => {
      requests += 1;
      await new Promise((resolve) => setTimeout(resolve));
      if (fails) throw new Error("no cookies");
      return LIFE_S;
    },
    () => now,
  );

test("many images at once request the cookies once", async () => {
  const cookies = newCookies();
  await Promise.all(Array.from({ length: 20 }, () => cookies.current()));
  await cookies.current();
  assert.equal(requests, 1);
});

test("the cookies are renewed a minute before they expire", async () => {
  const cookies = newCookies();
  await cookies.current();
  now += (LIFE_S - 61) * 1000;
  await cookies.current();
  assert.equal(requests, 1);
  now += 2_000;
  await cookies.current();
  assert.equal(requests, 2);
});

test("many refused images renew the cookies once", async () => {
  const cookies = newCookies();
  const refused = await cookies.current();
  now += 5_000;
  await Promise.all(Array.from({ length: 20 }, () => cookies.renewed(refused)));
  await cookies.renewed(refused);
  assert.equal(requests, 2);
});

test("a failed request is repeated for the next image", async () => {
  const cookies = newCookies();
  fails = true;
  await assert.rejects(cookies.current());
  fails = false;
  await cookies.current();
  assert.equal(requests, 2);
});
