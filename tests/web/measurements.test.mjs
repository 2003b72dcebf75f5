// Lengths and areas on a slide.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  areaOf,
  crossesItself,
  formatArea,
  formatLength,
  lengthOf,
  namesOf,
  textOf,
  valueText,
} from "../../web/src/viewer/measurements.js";

const at = (...pairs) => pairs.map(([x, y]) => ({ x, y }));
const SQUARE = at([10, 10], [110, 10], [110, 110], [10, 110]);
const BOW_TIE = at([0, 0], [100, 100], [100, 0], [0, 100]);

test("a length is that of all parts of the line", () => {
  assert.equal(lengthOf([]), 0);
  assert.equal(lengthOf(at([5, 5])), 0);
  assert.equal(lengthOf(at([0, 0], [3, 4])), 5);
  assert.equal(lengthOf(at([0, 0], [3, 4], [3, 14])), 15);
});

test("an area is the polygon's, in either direction, wherever it lies and however it is turned", () => {
  assert.equal(areaOf([]), 0);
  assert.equal(areaOf(SQUARE), 10_000);
  assert.equal(areaOf(SQUARE.toReversed()), 10_000);
  assert.equal(areaOf(at([0, 0], [6, 0], [0, 8])), 24);
  const concave = at([0, 0], [10, 0], [10, 10], [5, 5], [0, 10]);
  assert.equal(areaOf(concave), 75);
  for (let degrees = 0; degrees < 360; degrees += 7) {
    const [sin, cos] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
    const turned = SQUARE.map(({ x, y }) => ({ x: 150_000 + x * cos - y * sin, y: 90_000 + x * sin + y * cos }));
    assert.ok(Math.abs(areaOf(turned) - 10_000) < 1e-4, `turned by ${degrees}°`);
    assert.ok(Math.abs(lengthOf(turned) - 300) < 1e-6, `turned by ${degrees}°`);
  }
});

test("an outline that crosses itself has no area, and says so", () => {
  assert.ok(crossesItself(BOW_TIE));
  for (const simple of [
    SQUARE,
    SQUARE.slice(0, 3),
    at([0, 0], [1, 1]),
    [],
    at([0, 0], [10, 0], [10, 10], [5, 5], [0, 10]),
  ]) {
    assert.ok(!crossesItself(simple));
  }
  assert.equal(valueText({ kind: "area", points: BOW_TIE }, 0.25), "the outline crosses itself");
});

test("units follow the size, and the rounding", () => {
  const lengths = [
    [0, 0.25, "0 µm"],
    [1, 0.25, "0.25 µm"],
    [1234, 0.1, "123.4 µm"],
    [3998, 0.25, "999.5 µm"],
    [3999.9, 0.25, "1 mm"], // 999.975 µm
    [40_000, 0.25, "10 mm"],
    [493.6, 2.5, "1.234 mm"],
    [1234.4, null, "1,234 px"],
    [12.34, undefined, "12.34 px"],
  ];
  for (const [px, mpp, text] of lengths) assert.equal(formatLength(px, mpp), text);
  const areas = [
    [10_000, 0.25, "625 µm²"],
    [159_984, 0.25, "9,999 µm²"],
    [159_999.99, 0.25, "0.01 mm²"],
    [16_000_000, 0.25, "1 mm²"],
    [10_000, null, "10,000 px²"],
  ];
  for (const [px, mpp, text] of areas) assert.equal(formatArea(px, mpp), text);
});

test("the rounding of a text is far below 0.5 %", () => {
  for (let px = 1; px < 200_000; px *= 1.037) {
    const [value, unit] = formatLength(px, 0.2498).split(" ");
    const um = Number(value.replaceAll(",", "")) * (unit === "mm" ? 1000 : 1);
    assert.ok(Math.abs(um / (px * 0.2498) - 1) <= 0.0005, `${value} ${unit}`);
  }
});

test("measurements as text have a line each, and say when the pixel size is unknown", () => {
  const line = { kind: "length", points: at([0, 0], [300, 400]) };
  const all = [line, { kind: "area", points: SQUARE }, line];
  assert.deepEqual(namesOf(all), ["Length 1", "Area 1", "Length 2"]);
  assert.equal(textOf(all, 0.25), "Length 1: 125 µm\nArea 1: 625 µm²\nLength 2: 125 µm");
  assert.equal(textOf([line], null), "Length 1: 500 px\nThe slide's pixel size is unknown.");
});
