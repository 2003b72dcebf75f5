// The order of a case's slides, and which is next.
import assert from "node:assert/strict";
import { test } from "node:test";

import { inOrder, neighbour } from "../../web/src/viewer/case-strip.js";

const slide = (ImageID, more = {}) => ({ ImageID, SlideID: `S24-1-${ImageID}`, width: 1, height: 1, ...more });

test("slides are ordered by name, numbers by value, without deleted ones", () => {
  const slides = [slide("A10"), slide("B1"), slide("A2", { Status: "DELETED" }), slide("A1"), slide("A3")];
  assert.deepEqual(
    inOrder(slides).map(({ ImageID }) => ImageID),
    ["A1", "A3", "A10", "B1"],
  );
});

test("the next slide is one that can be opened", () => {
  const slides = [slide("1"), slide("2", { ImportStatus: "FAILED" }), slide("3"), slide("4", { width: null })];
  assert.equal(neighbour(slides, "1", 1)?.ImageID, "3");
  assert.equal(neighbour(slides, "3", -1)?.ImageID, "1");
  assert.equal(neighbour(slides, "3", 1), null);
  assert.equal(neighbour(slides, "unknown", 1), null);
});
