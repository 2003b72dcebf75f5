// The cookies of images: opened when first needed, renewed before they die, one opening at a time.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ImagePass } from "../../web/src/api/image-cookies.js";

const LIFE_S = 3600;
let now;
let opened;
let fails;

beforeEach(() => {
  now = 1_000_000;
  opened = 0;
  fails = false;
});

const newPass = () =>
  new ImagePass(
    async () => {
      opened += 1;
      await new Promise((resolve) => setTimeout(resolve));
      if (fails) throw new Error("no session");
      return LIFE_S;
    },
    () => now,
  );

test("many images at once open one session", async () => {
  const pass = newPass();
  await Promise.all(Array.from({ length: 20 }, () => pass.current()));
  await pass.current();
  assert.equal(opened, 1);
});

test("cookies are renewed a minute before they die", async () => {
  const pass = newPass();
  await pass.current();
  now += (LIFE_S - 61) * 1000;
  await pass.current();
  assert.equal(opened, 1);
  now += 2_000;
  await pass.current();
  assert.equal(opened, 2);
});

test("of many images that are refused the first one renews", async () => {
  const pass = newPass();
  const refused = await pass.current();
  now += 5_000;
  await Promise.all(Array.from({ length: 20 }, () => pass.renewed(refused)));
  await pass.renewed(refused);
  assert.equal(opened, 2);
});

test("what failed is tried again the next time", async () => {
  const pass = newPass();
  fails = true;
  await assert.rejects(pass.current());
  fails = false;
  await pass.current();
  assert.equal(opened, 2);
});
