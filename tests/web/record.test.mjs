// The texts of a record.
import assert from "node:assert/strict";
import { test } from "node:test";

import { factsOf } from "../../web/src/record.js";

test("a record with only an ImageID is described without unknown values", () => {
  assert.deepEqual(factsOf({ ImageID: "7", MPP: null, ScanDate: "" }), [["Image ID", "7"]]);
});
