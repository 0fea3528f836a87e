import assert from "node:assert/strict";
import { test } from "node:test";

import { Core, CoreBroken } from "../src/core.js";
import type { TimedCall } from "../src/protocol.js";
import { absurd, echo, trap } from "./echo.js";

const now = { wall_ms: 1, ms: 2 };
const tick: TimedCall = { do: "tick", now };
/** Comes back as an output. */
const asOutput = { ...tick, effects: [{ do: "nudge" }], wake_ms: 5 } as TimedCall;

test("a call crosses the boundary and its answer stays good", async () => {
  const core = await Core.load(echo);
  const first = core.call(asOutput, [new Uint8Array([1, 2, 3])]);
  const second = core.call(asOutput, [new Uint8Array(100_000).fill(4)]);
  assert.deepEqual(first.effects, [{ do: "nudge" }]);
  assert.equal(first.wakeMs, 5);
  assert.deepEqual(first.pieces, [new Uint8Array([1, 2, 3])]);
  assert.deepEqual(second.pieces, [new Uint8Array(100_000).fill(4)]);
});

test("after a trap the core is not called again", async () => {
  const core = await Core.load(trap);
  assert.throws(() => core.call(asOutput, []), CoreBroken);
  assert.throws(() => core.call(asOutput, []), (error: unknown) => {
    return error instanceof CoreBroken && error.cause instanceof WebAssembly.RuntimeError;
  });
});

test("an answer that makes no sense is as bad as a trap", async () => {
  const core = await Core.load(echo);
  assert.throws(() => core.call(tick, []), CoreBroken);
  assert.throws(() => core.call(asOutput, []), CoreBroken);
  const beyond = await Core.load(absurd);
  assert.throws(() => beyond.call(asOutput, []), CoreBroken);
});

test("what cannot be written as JSON does not break the core", async () => {
  const core = await Core.load(echo);
  assert.throws(() => core.call({ ...tick, big: 1n } as TimedCall, []), TypeError);
  assert.equal(core.call(asOutput, []).wakeMs, 5);
});

test("something else than the core is refused", async () => {
  const empty = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  await assert.rejects(Core.load(empty), CoreBroken);
});
