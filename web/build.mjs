// Assembles web/dist/: the page's own files and what it needs of OpenSeadragon.
import { cp, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const openseadragon = "node_modules/openseadragon";

await rm(here("dist"), { recursive: true, force: true });
await cp(here("src"), here("dist"), { recursive: true });
await mkdir(here("dist/openseadragon"));
await cp(
  here(`${openseadragon}/build/openseadragon/openseadragon.min.js`),
  here("dist/openseadragon/openseadragon.min.js"),
);
await cp(here(`${openseadragon}/LICENSE.txt`), here("dist/openseadragon/LICENSE.txt"));
console.log(`built ${here("dist")}`);
