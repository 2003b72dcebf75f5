// The pages request the fields that they know, and know those that they request.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { COUNT_SLIDES, GET_SLIDE, listingQuery } from "../../web/src/api/queries.js";

/** The names of the fields in a selection, without those of nested objects. */
function selected(query) {
  const fields = query.slice(
    query.indexOf("{", query.indexOf("getSlide(")) + 1,
    query.lastIndexOf("}", query.length - 3),
  );
  return fields.replace(/\{[^{}]*\}/g, "").match(/\w+/g);
}

test("the query selects what the record's type declares", async () => {
  const source = await readFile(new URL("../../web/src/record.js", import.meta.url), "utf8");
  const declaration = source.slice(0, source.indexOf("*/"));
  const declared = [...declaration.matchAll(/^ \* @property \{.*\} \[?(\w+)\]?/gm)].map(([, name]) => name);
  assert.deepEqual(selected(GET_SLIDE).sort(), declared.sort());
});

test("slides are counted by the criteria that they are searched by", () => {
  const criteria = (query) => [...query.matchAll(/\$(\w+): \w+/g)].map(([, name]) => name);
  const others = ["Order", "limit", "nextToken"];
  const searched = criteria(listingQuery("searchSlides")).filter((name) => !others.includes(name));
  assert.deepEqual(criteria(COUNT_SLIDES), searched);
  assert.ok(searched.includes("Text"));
});
