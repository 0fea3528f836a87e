/**
 * The app's node, without its page, against the real program: pairing, both ways, a node that is
 * killed, a reload, and a person who is taken out again.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { Core } from "../../doorway/web/dist/core.js";
import { Doorway } from "../../doorway/web/dist/doorway.js";
import { Kith } from "../../doorway/web/dist/kith.js";
import { MemoryStore } from "../../doorway/web/dist/memory-store.js";
import { Rack } from "./rack.mjs";

const wasm = new URL("../../doorway/web/dist/kith.wasm", import.meta.url);

let rack;
/** Of the browser: all that a reload leaves. */
const store = new MemoryStore();
let kith;

async function open() {
  return Kith.open({
    core: await Core.load(await readFile(wasm)),
    store,
    doorway: new Doorway(rack.url),
    host: rack.host,
    introduce: async () => ({ agentName: "Bo", deviceName: "test" }),
    pauseMs: () => 50,
  });
}

/** Waits until `look` finds something, looking again at each event of the node in the browser. */
async function until(what, look) {
  const found = await look();
  if (found !== undefined) return found;
  return new Promise((resolve, reject) => {
    const again = () =>
      look().then((seen) => {
        if (seen === undefined) return;
        end();
        resolve(seen);
      }, reject);
    // Whether both confirmed that they are equal is told by no event.
    const timer = setInterval(again, 50);
    const late = setTimeout(() => {
      end();
      reject(new Error(`waited too long until ${what}`));
    }, 30_000);
    const forget = kith.on("changed", again);
    const end = () => {
      clearInterval(timer);
      clearTimeout(late);
      forget();
    };
  });
}

const family = async () => (await kith.status()).spaces.find((space) => space.name === "Family");
const isSynced = async () => ((await family())?.state === "synced" ? true : undefined);

before(async () => {
  rack = await Rack.start();
});

after(async () => {
  await kith?.close();
  await rack?.close();
});

test("the doorway serves the app to whoever may not come in", async () => {
  const page = await fetch(`${rack.url}/app/`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy"), /script-src 'self' 'wasm-unsafe-eval';/);
  const module = await fetch(`${rack.url}/app/kith.wasm`);
  assert.equal(module.headers.get("content-type"), "application/wasm");
  assert.equal((await fetch(`${rack.url}/app/../local-token`)).status, 404);
});

test("a browser joins by a ticket and reads what is there", async () => {
  await rack.ask("space", "new", "Family");
  await rack.write("Family", { id: "before", n: 1 });
  kith = await open();
  assert.equal((await kith.identity()).name, "Bo");
  const { ticket } = await rack.ask("ticket", "--space", "Family", "--role", "writer", "--no-wait");
  const { device, code } = await kith.pair(ticket);
  const shown = await rack.ask("status");
  assert.equal(shown.node, device);
  assert.match(code, /^\d{3} ?\d{3}$/);
  assert.equal((await kith.confirm(device, true)).name, "Ada");
  await until("both are equal", isSynced);
  const space = (await family()).space;
  const [line] = await kith.docs(space);
  assert.deepEqual((await kith.read(space, line.doc)).value, { id: "before", n: 1 });
});

test("each reads what the other one writes", async () => {
  const { space } = await family();
  const { doc } = await kith.create(space, { n: 1 }, { title: "From a browser", type: "note" });
  await until("both are equal", isSynced);
  assert.deepEqual((await rack.ask("doc", "get", "Family", doc)).value, { n: 1, title: "From a browser" });
  await rack.ask("doc", "set", "Family", doc, "n", "2");
  const value = await until("it arrives", async () => {
    const { value } = await kith.read(space, doc);
    return value.n === 2 ? value : undefined;
  });
  assert.equal(value.title, "From a browser");
});

test("what both write while the node is gone is merged when it is back", async () => {
  const { space } = await family();
  const { doc } = await kith.create(space, { ours: 0, theirs: 0 });
  await until("both are equal", isSynced);
  await rack.end("SIGKILL");
  await kith.set(space, doc, "/ours", 1);
  await rack.ask("doc", "set", "Family", doc, "theirs", "1");
  await rack.begin();
  kith.hurry();
  await until("both are equal", async () => {
    const { value } = await kith.read(space, doc);
    return value.ours === 1 && value.theirs === 1 ? isSynced() : undefined;
  });
  assert.deepEqual((await rack.ask("doc", "get", "Family", doc)).value, { ours: 1, theirs: 1 });
});

test("a reload finds everything, and a doorway that is gone does not matter", async () => {
  const { space } = await family();
  const before = await kith.docs(space);
  const { node } = await kith.identity();
  await kith.close();
  await rack.end("SIGTERM");
  kith = await open();
  assert.equal((await kith.identity()).node, node);
  assert.deepEqual(await kith.docs(space), before);
  await kith.create(space, { n: 3 }, { title: "Offline" });
  await rack.begin();
  kith.hurry();
  await until("both are equal", isSynced);
  assert.equal((await rack.ask("doc", "list", "Family")).docs.length, before.length + 1);
});

test("a doorway whose person took the browser out again hears and says nothing more", async () => {
  const { agent } = await kith.identity();
  const { space } = await family();
  const entries = (await family()).entries;
  await rack.ask("space", "revoke", "Family", agent);
  await rack.write("Family", { id: "after" });
  await until("it hears of it", async () => ((await family())?.role === null ? true : undefined));
  assert.equal((await family()).entries, entries, "what is here stays, nothing new comes");
  await assert.rejects(kith.create(space, { n: 4 }), { code: "not-allowed" });
});
