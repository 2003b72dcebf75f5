// The hash of the page's URL.
import assert from "node:assert/strict";
import { test } from "node:test";

import { formatRoute, parseRoute } from "../../web/src/route.js";

test("a hash leads back to the slide and the view it was made from, for any ImageID", () => {
  const view = { x: 12345, y: 678, zoom: 0.125, rotation: 90 };
  for (const imageId of ["1001", "a/b ä+%2F#?&=x", "../..", "<img>"]) {
    assert.deepEqual(parseRoute(formatRoute(imageId, view)), { imageId, view });
    assert.deepEqual(parseRoute(formatRoute(imageId)), { imageId, view: null });
  }
  assert.equal(parseRoute(""), null);
  for (const broken of ["&x=1&y=2", "&x=1&y=b&zoom=1", "&x=1&y=2&zoom=0", "&x=1&y=2&zoom=Infinity"]) {
    assert.deepEqual(parseRoute(`#slide=1${broken}`), { imageId: "1", view: null });
  }
});
