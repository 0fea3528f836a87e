// Copies what needs no compiler beside what the compiler wrote, puts the doorway's palette before
// the style, and tells the service worker which version it all is.
import { createHash } from "node:crypto";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";

const dist = new URL("dist/", import.meta.url);
await cp(new URL("static/", import.meta.url), dist, { recursive: true });
const palette = await readFile(new URL("../http/assets/palette.css", import.meta.url), "utf8");
const style = new URL("style.css", dist);
await writeFile(style, palette + (await readFile(style, "utf8")));

const files = await readdir(dist, { recursive: true, withFileTypes: true });
const paths = files.filter((file) => file.isFile()).map((file) => `${file.path}/${file.name}`);
const hash = createHash("sha256");
for (const path of paths.sort()) hash.update(await readFile(path));
const version = hash.digest("hex").slice(0, 16);

const worker = new URL("service-worker.js", dist);
const text = await readFile(worker, "utf8");
await writeFile(worker, text.replace('VERSION = "unbuilt"', `VERSION = "${version}"`));
if (!paths.some((path) => path.endsWith("kith.wasm"))) {
  console.log("kith.wasm is not there yet: put it into static/ and build again");
}
