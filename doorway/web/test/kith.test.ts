import assert from "node:assert/strict";
import { test } from "node:test";

import { AskFailed, Stopped } from "../src/errors.js";
import { MemoryStore } from "../src/memory-store.js";
import type { Effect } from "../src/protocol.js";
import type { Entry } from "../src/store.js";
import { FakeCore, open, trap } from "./fake.js";

const bytes = (...numbers: number[]) => new Uint8Array(numbers);
const KEEP: Effect = { do: "keep", puts: [[0, 1]], deletes: [2] };
const PIECES = [bytes(1), bytes(2), bytes(3)];

/** A store whose writes end when the test says so. */
class SlowStore extends MemoryStore {
  readonly log: string[] = [];
  #finish: ((error?: Error) => void)[] = [];
  #begun: (() => void)[] = [];

  override keep(puts: readonly Entry[], deletes: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
    this.log.push(`keep ${puts.join("|")} ${deletes.join("|")}`);
    return new Promise((resolve, reject) => {
      this.#finish.push((error) => (error === undefined ? resolve() : reject(error)));
      this.#begun.shift()?.();
    });
  }

  begun(): Promise<void> {
    return new Promise((resolve) => this.#begun.push(resolve));
  }

  finish(error?: Error): void {
    this.#finish.shift()?.(error);
  }
}

/** Keeps on every `set`, before the reply. */
const keeping = () =>
  new FakeCore((call) =>
    call.do === "ask" && call.ask.ask === "set"
      ? { effects: [KEEP, { do: "reply", id: call.id, ok: { doc: "d", heads: [] } }], pieces: PIECES }
      : undefined,
  );

test("opening for the first time introduces and keeps the keys", async () => {
  const store = new MemoryStore();
  const core = new FakeCore((call) => {
    if (call.do !== "open") return undefined;
    const opened: Effect = { do: "opened", node: "n", agent: "a", name: "Ada", device_name: "Test" };
    return { effects: [{ do: "keys", piece: 0 }, { do: "keep", puts: [[1, 2]], deletes: [] }, opened], pieces: PIECES };
  });
  const kith = await open(core, { store });
  const { now, ...call } = core.calls[0] ?? assert.fail();
  assert.deepEqual(call, { do: "open", agent_name: "Ada", device_name: "Test", has_keys: false });
  assert.ok(Number.isInteger(now.ms) && Number.isInteger(now.wall_ms));
  assert.deepEqual(core.pieces[0]?.map((piece) => piece.length), [32]);
  assert.deepEqual(await store.load(), { keys: bytes(1), records: [[bytes(2), bytes(3)]] });
  await kith.close();
});

test("an opening that ended before anything was kept but the keys begins anew with them", async () => {
  const store = new MemoryStore();
  await store.keepKeys(bytes(9));
  const core = new FakeCore();
  const kith = await open(core, { store });
  const { now: _, ...call } = core.calls[0] ?? assert.fail();
  assert.deepEqual(call, { do: "open", agent_name: "Ada", device_name: "Test", has_keys: true });
  await kith.close();
});

test("opening again brings everything and asks nobody", async () => {
  const store = new MemoryStore();
  await store.keepKeys(bytes(9));
  await store.keep([[bytes(1), bytes(10)], [bytes(2), bytes(20)]], []);
  const core = new FakeCore();
  const kith = await open(core, { store, introduce: () => assert.fail("nobody is asked") });
  assert.equal(core.calls[0]?.do === "open" && core.calls[0].has_keys, true);
  assert.deepEqual(core.pieces[0]?.slice(1), [bytes(9), bytes(1), bytes(10), bytes(2), bytes(20)]);
  await kith.close();
});

test("a core that cannot open says why", async () => {
  const core = new FakeCore((call) => (call.do === "open" ? { effects: [{ do: "failed", why: "damaged" }] } : undefined));
  await assert.rejects(open(core), (error: unknown) => error instanceof Stopped && error.message === "damaged");
});

test("the next call begins when the last one is kept, and its reply comes after that", async () => {
  const store = new SlowStore();
  const core = keeping();
  const kith = await open(core, { store });
  const order: string[] = [];
  const begun = store.begun();
  const first = kith.set("s", "d", "/a", 1).then(() => order.push("first"));
  const second = kith.identity().then(() => order.push("second"));
  await begun;
  assert.deepEqual(core.said, ["open", "ask"]);
  assert.deepEqual(order, []);
  store.finish();
  await Promise.all([first, second]);
  assert.deepEqual(core.said, ["open", "ask", "ask"]);
  assert.deepEqual(order, ["first", "second"]);
  assert.deepEqual(store.log, ["keep 1,2 3"]);
  await kith.close();
});

test("when keeping fails nothing after it is done and everybody learns it", async () => {
  const store = new SlowStore();
  const core = keeping();
  const kith = await open(core, { store });
  const stopped = new Promise<Stopped>((resolve) => kith.on("stopped", resolve));
  const begun = store.begun();
  const first = kith.set("s", "d", "/a", 1);
  const second = kith.identity();
  const rejected = [first, second].map((each) =>
    assert.rejects(each, (error: unknown) => error instanceof Stopped && error.reason === "storage"),
  );
  await begun;
  store.finish(new Error("the disk is full"));
  await Promise.all(rejected);
  assert.match((await stopped).message, /the disk is full/);
  await assert.rejects(kith.status(), Stopped);
  assert.deepEqual(core.said, ["open", "ask"], "the core is not called again");
});

test("a trap stops it, with everything that waits for a reply", async () => {
  let isBroken = false;
  const core = new FakeCore((call) => {
    if (call.do === "ask" && call.ask.ask === "pair") return { effects: [] };
    return isBroken ? trap() : undefined;
  });
  const kith = await open(core);
  const stopped = new Promise<Stopped>((resolve) => kith.on("stopped", resolve));
  const pairing = assert.rejects(kith.pair("kith1"), Stopped);
  await kith.identity();
  isBroken = true;
  await assert.rejects(kith.identity(), (error: unknown) => error instanceof Stopped && error.reason === "core");
  await pairing;
  assert.equal((await stopped).reason, "core");
});

test("documents are loaded in calls of their own; one that breaks the core is marked", async () => {
  let isBroken = false;
  const core = new FakeCore((call) => {
    if (call.do === "load" && isBroken) return trap();
    if (call.do !== "ask" || call.ask.ask !== "docs") return undefined;
    return { effects: [{ do: "load", mark: [0, 1] }, { do: "load", mark: [2, 1] }] };
  });
  const store = new MemoryStore();
  const kith = await open(core, { store });
  const stopped = new Promise<Stopped>((resolve) => kith.on("stopped", resolve));
  const loaded = core.next("load");
  const first = assert.rejects(kith.docs("s"), Stopped);
  await loaded;
  await kith.identity();
  assert.deepEqual(core.said, ["open", "ask", "load", "load", "ask"]);
  assert.deepEqual((await store.load()).records, [], "nothing is wrong with these");

  isBroken = true;
  await assert.rejects(kith.docs("s"), (error: unknown) => error instanceof Stopped && error.reason === "document");
  await first;
  assert.equal((await stopped).reason, "document");
  assert.deepEqual((await store.load()).records, [[new Uint8Array([1]), new Uint8Array([2])]]);
  assert.equal(core.said.filter((said) => said === "load").length, 3, "the core is not called again");
});

test("a core that speaks of unknown bytes or effects is stopped", async () => {
  for (const effect of [{ do: "keep", puts: [[7, 8]], deletes: [] }, { do: "dance" }]) {
    const core = new FakeCore((call) => (call.do === "ask" && call.ask.ask === "identity" ? { effects: [effect as Effect] } : undefined));
    const kith = await open(core);
    await assert.rejects(kith.identity(), (error: unknown) => error instanceof Stopped && error.reason === "core");
  }
});

test("an ask that fails is its own problem", async () => {
  const failure = { code: "not-found", message: "gone", state: "nothing was changed", fix: "look again" };
  const core = new FakeCore((call) =>
    call.do === "ask" && call.ask.ask === "read" ? { effects: [{ do: "reply", id: call.id, error: failure }] } : undefined,
  );
  const kith = await open(core);
  await assert.rejects(kith.read("s", "d"), (error: unknown) => {
    assert.ok(error instanceof AskFailed);
    assert.deepEqual([error.code, error.message, error.state, error.fix], Object.values(failure));
    return true;
  });
  await kith.identity();
  await kith.close();
});

test("changes are told, and a listener that is gone hears nothing", async () => {
  const core = new FakeCore((call) =>
    call.do === "ask" && call.ask.ask === "remove"
      ? { effects: [{ do: "changed", space: "s", documents: ["d"] }, { do: "reply", id: call.id, ok: {} }] }
      : undefined,
  );
  const kith = await open(core);
  const heard: unknown[] = [];
  const end = kith.on("changed", (changed) => heard.push(changed));
  await kith.remove("s", "d");
  end();
  await kith.remove("s", "d");
  assert.deepEqual(heard, [{ space: "s", documents: ["d"] }]);
  await kith.close();
});

test("the core is woken when it wants to be", async () => {
  const core = new FakeCore((call) =>
    call.do === "ask" && call.ask.ask === "identity"
      ? { effects: [{ do: "reply", id: call.id, ok: {} }], wakeMs: call.now.ms }
      : undefined,
  );
  const kith = await open(core);
  const ticked = core.next("tick");
  await kith.identity();
  await ticked;
  await kith.close();
});

test("closing waits for what is being kept", async () => {
  const store = new SlowStore();
  const kith = await open(keeping(), { store });
  const begun = store.begun();
  const rejected = assert.rejects(kith.set("s", "d", "/a", 1), Stopped);
  await begun;
  let isClosed = false;
  const closing = kith.close().then(() => (isClosed = true));
  await rejected;
  assert.equal(isClosed, false);
  store.finish();
  await closing;
});
