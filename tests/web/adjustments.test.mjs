// Brightness, contrast and gamma.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AS_SCANNED, RANGES, RememberedAdjustments, curve } from "../../web/src/viewer/adjustments.js";
import { Twist, difference } from "../../web/src/viewer/rotation.js";
import { pictureName } from "../../web/src/viewer/save-picture.js";

function storage(content = {}) {
  return {
    content,
    getItem: (name) => content[name] ?? null,
    setItem: (name, value) => (content[name] = value),
    removeItem: (name) => delete content[name],
  };
}

test("a slide as it was scanned keeps every value", () => {
  curve(AS_SCANNED).forEach((value, index) => assert.ok(Math.abs(value * 255 - index) < 1e-9));
});

test("curves never fall and stay between black and white, at the ends of all ranges", () => {
  for (const brightness of RANGES.brightness)
    for (const contrast of RANGES.contrast)
      for (const gamma of RANGES.gamma) {
        const values = curve({ brightness, contrast, gamma });
        assert.ok(values.every((value, index) => value >= (values[index - 1] ?? 0) && value <= 1));
      }
});

test("gamma brightens the middle and keeps the ends; contrast turns about the middle", () => {
  const gamma = curve({ ...AS_SCANNED, gamma: 2 });
  assert.deepEqual([gamma[0], gamma[255]], [0, 1]);
  assert.ok(Math.abs(gamma[64] - Math.sqrt(64 / 255)) < 1e-9);
  const contrast = curve({ ...AS_SCANNED, contrast: 2 });
  assert.ok(Math.abs(contrast[127] + contrast[128] - 1) < 1e-9);
});

test("adjustments are remembered for each slide, for the last 200, until the user signs out", () => {
  const place = storage();
  const remembered = new RememberedAdjustments(place);
  for (let slide = 0; slide <= 200; slide += 1) remembered.set(String(slide), { ...AS_SCANNED, gamma: 2 });
  assert.equal(remembered.get("0").gamma, 1);
  assert.equal(remembered.get("1").gamma, 2);
  remembered.set("1", { ...AS_SCANNED });
  assert.equal(remembered.get("1").gamma, 1);
  remembered.clear();
  assert.equal(remembered.get("200").gamma, 1);
  assert.deepEqual(place.content, {});
});

test("what another program left in the storage does no harm", () => {
  for (const text of ["{", "7", "[3]", '[["a", null]]', '[["a", {"gamma": 99, "brightness": 1, "contrast": 1}]]']) {
    assert.deepEqual(new RememberedAdjustments(storage({ "vsv.adjustments": text })).get("a"), AS_SCANNED);
  }
});

test("two fingers turn the slide as far as they turn, once they have turned by 8 degrees", () => {
  const twist = new Twist(8);
  assert.deepEqual(
    [0, 5, 7, 10, 30].map((direction) => twist.turn(direction)),
    [0, 0, 0, 3, 20],
  );
  twist.end();
  assert.deepEqual(
    [30, 35].map((direction) => twist.turn(direction)),
    [0, 0],
  );
  assert.equal(difference(179, -179), 2);
  assert.equal(difference(-170, 170), -20);
});

test("a picture's name is a file name, whatever the slide's name is", () => {
  assert.equal(pictureName("S26-1/..\\<b>"), "S26-1_.._b_.png");
  assert.equal(pictureName("../../x"), "x.png");
  assert.equal(pictureName("***"), "slide.png");
  assert.ok(pictureName("ä".repeat(300)).length < 100);
});
