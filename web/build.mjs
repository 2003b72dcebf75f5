// Builds the pages into web/dist/ or into the folder named: copies src/ and the files of OpenSeadragon that they load.
import { cp, mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const openseadragon = "node_modules/openseadragon";
const pages = process.argv[2] ? resolve(process.argv[2]) : here("dist");

await rm(pages, { recursive: true, force: true });
await cp(here("src"), pages, { recursive: true });
await mkdir(join(pages, "openseadragon"));
await cp(
  here(`${openseadragon}/build/openseadragon/openseadragon.min.js`),
  join(pages, "openseadragon/openseadragon.min.js"),
);
await cp(here(`${openseadragon}/LICENSE.txt`), join(pages, "openseadragon/LICENSE.txt"));
console.log(`built ${pages}`);
