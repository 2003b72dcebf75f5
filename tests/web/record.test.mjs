// The texts of a record.
import assert from "node:assert/strict";
import { test } from "node:test";

import { factsOf, matches } from "../../web/src/record.js";

test("a record with only an ImageID is described without unknown values", () => {
  assert.deepEqual(factsOf({ ImageID: "7", MPP: null, ScanDate: "" }), [["Image ID", "7"]]);
  assert.ok(matches({ ImageID: "7", SlideID: "S24-17-A1" }, "a1  s24"));
  assert.ok(!matches({ ImageID: "7", SlideID: "S24-17-A1" }, "s24 b1"));
});
