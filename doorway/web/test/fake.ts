/** Scripted stand-ins for the core and the doorway. */

import { CoreBroken, type Callable, type Output } from "../src/core.js";
import type { Steps } from "../src/doorway.js";
import { Kith, type KithOptions } from "../src/kith.js";
import { MemoryStore } from "../src/memory-store.js";
import type { Effect, TimedCall } from "../src/protocol.js";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a call leads to; several effects and their pieces. */
export interface Scripted {
  readonly effects: readonly Effect[];
  readonly pieces?: readonly Bytes[];
  readonly wakeMs?: number | null;
}

export type Script = (call: TimedCall, pieces: readonly Uint8Array[]) => Scripted | undefined;

const OPENED: Effect = { do: "opened", node: "here", agent: "agent", name: "Ada", device_name: "Test" };

/** Writes down every call and answers as the script says. */
export class FakeCore implements Callable {
  readonly calls: TimedCall[] = [];
  readonly pieces: (readonly Uint8Array[])[] = [];
  peers: readonly unknown[] = [];
  readonly #script: Script;
  readonly #awaited: { readonly what: string; readonly resolve: (call: TimedCall) => void }[] = [];

  constructor(script: Script = () => undefined) {
    this.#script = script;
  }

  call(call: TimedCall, pieces: readonly Uint8Array[]): Output {
    this.calls.push(call);
    this.pieces.push(pieces);
    const at = this.#awaited.findIndex(({ what }) => what === call.do);
    if (at >= 0) this.#awaited.splice(at, 1)[0]?.resolve(call);
    const scripted = this.#script(call, pieces) ?? { effects: this.#usual(call) };
    return { effects: scripted.effects, pieces: scripted.pieces ?? [new Uint8Array([1]), new Uint8Array([2]), new Uint8Array([3])], wakeMs: scripted.wakeMs ?? null };
  }

  /** The next call of this kind. */
  next<What extends TimedCall["do"]>(what: What): Promise<Extract<TimedCall, { do: What }>> {
    return new Promise((resolve) => {
      this.#awaited.push({ what, resolve: (call) => resolve(call as Extract<TimedCall, { do: What }>) });
    });
  }

  /** What was called, without the questions how many peers there are. */
  get said(): string[] {
    return this.calls.filter((call) => call.do !== "ask" || call.ask.ask !== "status").map((call) => call.do);
  }

  #usual(call: TimedCall): readonly Effect[] {
    if (call.do === "open") return [OPENED];
    if (call.do === "ask" && call.ask.ask === "status") {
      return [{ do: "reply", id: call.id, ok: { spaces: [], peers: this.peers } }];
    }
    if (call.do === "ask") return [{ do: "reply", id: call.id, ok: { asked: call.ask } }];
    if (call.do === "knock") {
      return [{ do: "signed", device: "here", signature: "s", challenge: "own", host: "h" }];
    }
    if (call.do === "enter") return [{ do: "entered", node: call.node }, { do: "exchange", piece: 0 }];
    if (call.do === "lost") return [{ do: "over", why: call.why }];
    return [];
  }
}

/** Breaks as a trap does. */
export function trap(): never {
  throw new CoreBroken("it trapped");
}

/** A doorway of the device `there`, whose exchanges wait until the test answers them. */
export class FakeDoorway implements Steps {
  readonly steps: string[] = [];
  nudges: boolean[] = [];
  challengeFails: Error[] = [];
  #exchanges: Exchange[] = [];
  #awaited: ((exchange: Exchange) => void)[] = [];

  async challenge(): Promise<{ challenge: string; node: string }> {
    this.steps.push("challenge");
    const error = this.challengeFails.shift();
    if (error !== undefined) throw error;
    return { challenge: "cc", node: "there" };
  }

  async token(): Promise<string> {
    this.steps.push("token");
    return "t";
  }

  async proof(): Promise<{ device: string; signature: string }> {
    this.steps.push("proof");
    return { device: "there", signature: "back" };
  }

  exchange(_: string, body: Bytes, signal: AbortSignal): Promise<Bytes> {
    this.steps.push("exchange");
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      const exchange = { body, signal, resolve, reject };
      const awaited = this.#awaited.shift();
      if (awaited === undefined) this.#exchanges.push(exchange);
      else awaited(exchange);
    });
  }

  async nudge(): Promise<boolean> {
    this.steps.push("nudge");
    return this.nudges.shift() ?? true;
  }

  /** The exchange that came, or the next one. */
  nextExchange(): Promise<Exchange> {
    const exchange = this.#exchanges.shift();
    if (exchange !== undefined) return Promise.resolve(exchange);
    return new Promise((resolve) => this.#awaited.push(resolve));
  }
}

export interface Exchange {
  readonly body: Bytes;
  readonly signal: AbortSignal;
  readonly resolve: (body: Bytes) => void;
  readonly reject: (error: Error) => void;
}

/** Opens a `Kith` on fakes; pauses take no time. */
export function open(core: Callable, others: Partial<KithOptions> = {}): Promise<Kith> {
  return Kith.open({
    core,
    store: new MemoryStore(),
    doorway: new FakeDoorway(),
    host: "kith.example",
    introduce: async () => ({ agentName: "Ada", deviceName: "Test" }),
    pauseMs: () => 0,
    ...others,
  });
}
