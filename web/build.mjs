// Builds the pages into web/dist/ or into the folder named: copies src/, the files of libraries that the pages load, and
// the laboratory's own files (its logo) where there are any.
import { existsSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** The files of each library in node_modules/. @type {Record<string, string[]>} */
const LIBRARIES = {
  openseadragon: ["build/openseadragon/openseadragon.min.js", "LICENSE.txt"],
  "lit-html": [
    "lit-html.js",
    "directive.js",
    "directive-helpers.js",
    "directives/live.js",
    "directives/repeat.js",
    "LICENSE",
  ],
};
const pages = process.argv[2] ? resolve(process.argv[2]) : here("dist");

await rm(pages, { recursive: true, force: true });
await cp(here("src"), pages, { recursive: true });
for (const [library, files] of Object.entries(LIBRARIES)) {
  for (const file of files) {
    await cp(here(`node_modules/${library}/${file}`), join(pages, library, file.replace("build/openseadragon/", "")));
  }
}
if (existsSync(here("laboratory"))) await cp(here("laboratory"), join(pages, "laboratory"), { recursive: true });
console.log(`built ${pages}`);
