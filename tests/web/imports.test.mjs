// The pages' modules import each other in one direction only.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

const SRC = new URL("../../web/src/", import.meta.url);

/** What each folder may import besides its own modules; "" is the files above the folders. */
const ALLOWED = {
  api: [],
  "": [],
  review: ["api", ""],
  list: ["review", "api", ""],
  viewer: ["review", "api", ""],
  "review-page": ["review", "viewer", "api", ""],
};

const folderOf = (url) => url.pathname.slice(SRC.pathname.length).split("/").slice(0, -1).join("/");

test("imports point one way: only the application imports everything", async () => {
  let checked = 0;
  for (const folder of Object.keys(ALLOWED)) {
    const base = new URL(folder ? `${folder}/` : "", SRC);
    for (const name of (await readdir(base)).filter((file) => file.endsWith(".js") && file !== "app.js")) {
      const source = await readFile(new URL(name, base), "utf8");
      for (const [, path] of source.matchAll(/^import .* from "(.+)";$/gm)) {
        if (/^lit-html(\/|$)/.test(path)) continue;
        const imported = folderOf(new URL(path, new URL(name, base)));
        assert.ok([folder, ...ALLOWED[folder]].includes(imported), `${folder}/${name} imports ${path}`);
        checked += 1;
      }
    }
  }
  assert.ok(checked > 30, "the test reads no imports");
});
