// AppSync's resolver passes on what a direct Lambda resolver would, and types the errors.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const source = await readFile(new URL("../../graphql/resolver.js", import.meta.url), "utf8");

// Only AppSync has its own utilities: this stands for the one that the resolver uses.
const utilities = dataUrl(`
  export const util = {
    error(...parts) {
      throw Object.assign(new Error(parts[0]), { parts });
    },
  };
`);
const { request, response } = await import(dataUrl(source.replace('"@aws-appsync/utils"', JSON.stringify(utilities))));

function dataUrl(code) {
  return `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
}

const info = {
  fieldName: "getSlide",
  parentTypeName: "Query",
  variables: { id: "1" },
  selectionSetList: ["ImageID"],
  selectionSetGraphQL: "{ ImageID }",
};
const context = {
  arguments: { ImageID: "1" },
  args: { ImageID: "1" },
  identity: { sub: "1234", groups: ["Technicians"] },
  source: null,
  request: { headers: { "x-test": "1" }, domainName: null },
  prev: null,
  stash: {},
  info,
  env: {},
};

test("the function gets a direct resolver's event, and nothing else", () => {
  const event = { ...context };
  delete event.args;
  delete event.env;
  assert.deepEqual(request(context), { operation: "Invoke", payload: event });
});

test("the selection set is named, since AppSync does not write it out with the rest", () => {
  const hidden = Object.defineProperties(
    {},
    Object.fromEntries(Object.entries(info).map(([name, value]) => [name, { value }])),
  );
  assert.deepEqual(request({ ...context, info: hidden }).payload.info, info);
});

test("results pass as they are", () => {
  for (const result of [null, { ImageID: "1" }, [null, { ImageID: "2" }], "text", 0, false]) {
    assert.deepEqual(response({ ...context, result }), result);
  }
});

test("a failed function is an error of its type", () => {
  const error = { message: "timed out", type: "Lambda:Unhandled" };
  assert.throws(() => response({ ...context, result: null, error }), {
    parts: ["timed out", "Lambda:Unhandled"],
  });
});

test("a refused edit is an error with its type, the current record and more", () => {
  const failure = {
    type: "Conflict",
    message: "The slide has changed.",
    data: { ImageID: "1", Status: "GOOD" },
    info: { version: 3 },
  };
  assert.throws(() => response({ ...context, result: { __error: failure } }), {
    parts: ["The slide has changed.", "Conflict", failure.data, failure.info],
  });
});

test("there is nothing in it that APPSYNC_JS does not know", () => {
  const code = source.replace(/\/\*[^]*?\*\/|\/\/.*/g, "").replace(/"[^"]*"/g, '""');
  assert.doesNotMatch(code, /\b(async|await|catch|class|continue|do|in|new|this|throw|try|while)\b/);
  assert.doesNotMatch(code, /\+\+|--|~|\/|`/);
});
