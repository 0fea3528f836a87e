import assert from "node:assert/strict";
import { test } from "node:test";

import { DoorwayError, DoorwayUnreachable } from "../src/doorway.js";
import type { Kith } from "../src/kith.js";
import type { Effect } from "../src/protocol.js";
import { pauseAfter } from "../src/visits.js";
import { FakeCore, FakeDoorway, open, type Script } from "./fake.js";

const bytes = (...numbers: number[]) => new Uint8Array(numbers);
const FRAMES = [bytes(1), bytes(2), bytes(3)];

/** A core that is related to somebody; every answer leads to the next exchange. */
const related = (script: Script = () => undefined) => {
  const core = new FakeCore((call, pieces) => {
    const scripted = script(call, pieces);
    if (scripted !== undefined) return scripted;
    if (call.do === "enter") {
      return { effects: [{ do: "entered", node: call.node }, { do: "exchange", piece: 0 }], pieces: FRAMES };
    }
    if (call.do === "returned") return { effects: [{ do: "exchange", piece: 1 }], pieces: FRAMES };
    return undefined;
  });
  core.peers = [{}];
  return core;
};

const onPair = (...effects: Effect[]): Script => (call) =>
  call.do === "ask" && call.ask.ask === "pair" ? { effects } : undefined;

const heard = (kith: Kith, count: number) =>
  new Promise<string[]>((resolve) => {
    const all: string[] = [];
    kith.on("connection", (connection) => {
      if (all.push(connection) === count) resolve(all);
    });
  });

test("a visit takes its steps in order and goes on with each answer", async () => {
  const core = related();
  const doorway = new FakeDoorway();
  const kith = await open(core, { doorway });
  const first = await doorway.nextExchange();
  assert.deepEqual(doorway.steps, ["challenge", "token", "proof", "exchange"]);
  assert.deepEqual(first.body, bytes(1));
  assert.equal(kith.connection, "connected");
  const { now: _, ...knock } = core.calls.find((call) => call.do === "knock") ?? assert.fail();
  assert.deepEqual(knock, { do: "knock", node: "there", host: "kith.example", challenge: "cc" });
  const { now: __, ...enter } = core.calls.find((call) => call.do === "enter") ?? assert.fail();
  assert.deepEqual(enter, { do: "enter", node: "there", signature: "back" });
  first.resolve(bytes(42));
  assert.deepEqual((await doorway.nextExchange()).body, bytes(2));
  assert.deepEqual(core.pieces[core.calls.findIndex((call) => call.do === "returned")], [bytes(42)]);
  await kith.close();
});

test("a waiting exchange holds up nothing else, and closing ends it", async () => {
  const doorway = new FakeDoorway();
  const kith = await open(related(), { doorway });
  const waiting = await doorway.nextExchange();
  await kith.identity();
  await kith.close();
  assert.ok(waiting.signal.aborted);
  assert.equal(kith.connection, "offline");
});

test("without a reason nobody is visited", async () => {
  const doorway = new FakeDoorway();
  const core = new FakeCore();
  const kith = await open(core, { doorway });
  await kith.identity();
  assert.deepEqual(doorway.steps, []);
  await kith.close();
});

test("whom the core dials is visited if it is the doorway's device, else it is unreachable", async () => {
  const script = onPair({ do: "dial", device: "elsewhere" }, { do: "dial", device: "there" });
  const core = new FakeCore(script);
  const doorway = new FakeDoorway();
  const kith = await open(core, { doorway });
  const turnedAway = core.next("unreachable");
  kith.pair("kith1").catch(() => undefined);
  assert.equal((await turnedAway).device, "elsewhere");
  await doorway.nextExchange();
  assert.deepEqual(core.said, ["open", "ask", "unreachable", "knock", "enter"]);
  await kith.close();
});

test("a doorway that does not answer is unreachable for whom it was dialled", async () => {
  const core = new FakeCore(onPair({ do: "dial", device: "there" }));
  const doorway = new FakeDoorway();
  doorway.challengeFails = [new DoorwayUnreachable("nobody")];
  const kith = await open(core, { doorway });
  const turnedAway = core.next("unreachable");
  kith.pair("kith1").catch(() => undefined);
  const { device, why } = await turnedAway;
  assert.deepEqual([device, why], ["there", "nobody"]);
  await kith.close();
});

test("a device dialled during a visit is unreachable at once", async () => {
  const core = related(onPair({ do: "dial", device: "elsewhere" }));
  const doorway = new FakeDoorway();
  const kith = await open(core, { doorway });
  await doorway.nextExchange();
  const turnedAway = core.next("unreachable");
  kith.pair("kith1").catch(() => undefined);
  assert.equal((await turnedAway).device, "elsewhere");
  await kith.close();
});

test("an exchange that is lost is told, and the visit begins anew", async () => {
  const core = related();
  const doorway = new FakeDoorway();
  const kith = await open(core, { doorway });
  const connections = heard(kith, 4);
  const lost = core.next("lost");
  (await doorway.nextExchange()).reject(new DoorwayUnreachable("broken off"));
  assert.equal((await lost).why, "broken off");
  await doorway.nextExchange();
  assert.deepEqual((await connections).slice(-3), ["offline", "connecting", "connected"]);
  await kith.close();
});

test("a token that is over leads to another knock, without a pause", async () => {
  let pauses = 0;
  const doorway = new FakeDoorway();
  const pauseMs = () => (pauses += 1);
  const kith = await open(related(), { doorway, pauseMs });
  (await doorway.nextExchange()).resolve(bytes());
  (await doorway.nextExchange()).reject(new DoorwayError(401, "not-signed-in", "over"));
  await doorway.nextExchange();
  assert.equal(pauses, 0);
  await kith.close();
});

test("pauses count failures until an answer comes or somebody hurries", async () => {
  const counted: number[] = [];
  const doorway = new FakeDoorway();
  doorway.challengeFails = [new Error("1"), new Error("2"), new Error("3")];
  const pauseMs = (failures: number) => {
    counted.push(failures);
    return 0;
  };
  const kith = await open(related(), { doorway, pauseMs });
  (await doorway.nextExchange()).resolve(bytes());
  (await doorway.nextExchange()).reject(new Error("lost"));
  await doorway.nextExchange();
  assert.deepEqual(counted, [0, 1, 2, 0]);
  await kith.close();
});

test("hurrying ends a pause", async () => {
  const doorway = new FakeDoorway();
  doorway.challengeFails = [new Error("offline")];
  let paused: () => void = () => undefined;
  const isPausing = new Promise<void>((resolve) => (paused = resolve));
  const pauseMs = () => {
    paused();
    return 1_000_000;
  };
  const kith = await open(related(), { doorway, pauseMs });
  await isPausing;
  kith.hurry();
  await doorway.nextExchange();
  await kith.close();
});

test("what the core ends is aborted, and its answer is not told", async () => {
  const core = related(onPair({ do: "over", why: "enough" }));
  const doorway = new FakeDoorway();
  const kith = await open(core, { doorway });
  const first = await doorway.nextExchange();
  kith.pair("kith1").catch(() => undefined);
  await doorway.nextExchange();
  assert.ok(first.signal.aborted);
  assert.ok(!core.said.includes("lost") && !core.said.includes("returned"));
  await kith.close();
});

test("a refusal ends the attempt", async () => {
  let isRefused = true;
  const core = related((call) => {
    if (call.do !== "knock" || !isRefused) return undefined;
    isRefused = false;
    return { effects: [{ do: "refused", why: "a stranger" }] };
  });
  const doorway = new FakeDoorway();
  const kith = await open(core, { doorway });
  await doorway.nextExchange();
  assert.deepEqual(doorway.steps, ["challenge", "challenge", "token", "proof", "exchange"]);
  await kith.close();
});

test("a nudge is repeated until it found the exchange", async () => {
  const core = related(onPair({ do: "nudge" }));
  const doorway = new FakeDoorway();
  doorway.nudges = [false, true];
  const kith = await open(core, { doorway });
  const exchange = await doorway.nextExchange();
  const nudged = new Promise<void>((resolve) => {
    const { nudge } = doorway;
    doorway.nudge = async () => {
      const waited = await nudge.call(doorway);
      if (waited) resolve();
      return waited;
    };
  });
  kith.pair("kith1").catch(() => undefined);
  await nudged;
  exchange.resolve(bytes());
  await doorway.nextExchange();
  assert.deepEqual(doorway.steps.filter((step) => step === "nudge").length, 2);
  await kith.close();
});

test("pauses grow to a minute", () => {
  for (const [failures, longest] of [[0, 1_000], [1, 2_000], [5, 32_000], [6, 60_000], [10_000, 60_000]] as const) {
    const pause = pauseAfter(failures);
    assert.ok(pause >= longest / 2 && pause <= longest, `${failures}: ${pause}`);
  }
});
