import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const compiled = new URL("../src/", import.meta.url);

async function withImports(file: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(file)) return found;
  found.add(file);
  const text = await readFile(new URL(file, compiled), "utf8");
  for (const [, imported] of text.matchAll(/^import .*?from "(.+?)";$/gms)) {
    const address = new URL(imported ?? "", new URL(file, compiled)).href;
    await withImports(address.slice(compiled.href.length), found);
  }
  return found;
}

test("everything that the page loads is kept for later", async () => {
  const worker = await readFile(new URL("service-worker.js", compiled), "utf8");
  const list = /FILES = \[(.*?)\]/s.exec(worker)?.[1] ?? "";
  const listed = [...list.matchAll(/"(.+?)"/g)].map(([, file]) => file);
  const loaded = [...(await withImports("app.js")), "./", "icon.svg", "kith.wasm", "style.css"];
  assert.deepEqual(listed, loaded.sort());
  assert.doesNotMatch(worker, /^(import|export) /m, "it must run as a plain script");
});
