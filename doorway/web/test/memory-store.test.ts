import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryStore } from "../src/memory-store.js";

const bytes = (...numbers: number[]) => new Uint8Array(numbers);

test("a new store is empty", async () => {
  assert.deepEqual(await new MemoryStore().load(), { keys: null, records: [] });
});

test("what was kept comes back in the order of the keys, without what was deleted", async () => {
  const store = new MemoryStore();
  await store.keep([[bytes(2), bytes(20)], [bytes(1, 255), bytes(11)], [bytes(1), bytes(10)]], []);
  await store.keep([[bytes(1), bytes(12)]], [bytes(2), bytes(99)]);
  await store.keepKeys(bytes(7, 7));
  const { keys, records } = await store.load();
  assert.deepEqual(keys, bytes(7, 7));
  assert.deepEqual(records, [[bytes(1), bytes(12)], [bytes(1, 255), bytes(11)]]);
});

test("nobody can change what was kept from outside", async () => {
  const store = new MemoryStore();
  const value = bytes(1);
  await store.keep([[bytes(0), value]], []);
  value[0] = 2;
  const [first] = (await store.load()).records;
  assert.deepEqual(first?.[1], bytes(1));
});
