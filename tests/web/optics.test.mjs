// Scale bar and magnification.
import assert from "node:assert/strict";
import { test } from "node:test";

import { formatMagnification, imageZoomAt, magnificationSteps } from "../../web/src/viewer/magnification.js";
import { roundLength, scaleBar } from "../../web/src/viewer/scale-bar.js";

test("the scale bar is the longest round length that fits, at every zoom", () => {
  for (const mppUm of [0.1213, 0.2498, 0.25, 0.499, 0.5, 1]) {
    for (let imageZoom = 1 / 4096; imageZoom <= 8; imageZoom *= 1.07) {
      const { lengthUm, widthPx } = scaleBar(mppUm, imageZoom, 180);
      const digits = Number(lengthUm.toExponential().split("e")[0]);
      assert.ok([1, 2, 5].includes(digits), `${lengthUm} µm is not round`);
      assert.ok(widthPx <= 180 + 1e-9 && widthPx > 180 / 2.5 - 1e-9, `${widthPx} px at zoom ${imageZoom}`);
      assert.ok(Math.abs((widthPx / imageZoom) * mppUm - lengthUm) < 1e-9 * lengthUm, "drawn at its true length");
    }
  }
});

test("round lengths at and just below powers of ten", () => {
  const table = [
    [1000, 1000],
    [999.999999, 500],
    [5, 5],
    [4.99, 2],
    [1, 1],
    [0.2, 0.2],
    [0.0999, 0.05],
    [2e4, 2e4],
  ];
  for (const [limit, expected] of table) assert.equal(roundLength(limit), expected);
});

test("the scale bar's text, in µm or mm", () => {
  const texts = [
    [0.25, 1, "20 µm"],
    [0.25, 0.025, "1 mm"],
    [0.5, 0.5, "100 µm"],
    [0.25, 4, "10 µm"],
    [0.25, 0.01, "2 mm"],
  ];
  for (const [mppUm, zoom, text] of texts) assert.equal(scaleBar(mppUm, zoom, 180).text, text);
});

test("magnification is the objective's times the zoom", () => {
  assert.equal(formatMagnification(0.125, 40), "5.0×");
  assert.equal(formatMagnification(1, 20), "20.0×");
  assert.equal(formatMagnification(0.005, 40), "0.20×");
  assert.equal(formatMagnification(0.5, null), "50%");
  assert.deepEqual(magnificationSteps(20), [1, 2.5, 5, 10, 20]);
  assert.deepEqual(magnificationSteps(null), []);
  for (const step of magnificationSteps(40)) {
    assert.equal(formatMagnification(imageZoomAt(step, 40), 40), `${step.toFixed(1)}×`);
  }
});
