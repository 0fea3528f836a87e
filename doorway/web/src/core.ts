/**
 * The node core in WebAssembly: calls in, effects out. It touches nothing itself.
 *
 * Invariant: after a trap, or an answer that makes no sense, the core is never called again.
 */

import type { Bytes } from "./bytes.js";
import { decode, encodedLength, encodeInto, jsonBytes, MalformedMessage } from "./message.js";
import type { Effect, TimedCall } from "./protocol.js";

/** What a call leads to. */
export interface Output {
  readonly effects: readonly Effect[];
  /** When `tick` is due, on the clock of `now.ms`. */
  readonly wakeMs: number | null;
  readonly pieces: readonly Bytes[];
}

/** Whatever can be called as the core is: it throws `CoreBroken` when it cannot go on. */
export interface Callable {
  call(message: TimedCall, pieces: readonly Uint8Array[]): Output;
}

/** The core broke. What is stored is whole; a new core can be opened from it. */
export class CoreBroken extends Error {
  override readonly name = "CoreBroken";
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly prepare: (length: number) => number;
  readonly call: () => number;
  readonly output: () => number;
}

/** One instance of the node core. */
export class Core implements Callable {
  readonly #exports: Exports;
  #broken: CoreBroken | null = null;

  private constructor(exports: Exports) {
    this.#exports = exports;
  }

  /** Loads the core from its bytes, or from where they are. */
  static async load(source: BufferSource | URL | string): Promise<Core> {
    const bytes = source instanceof URL || typeof source === "string" ? await download(source) : source;
    const { instance } = await WebAssembly.instantiate(bytes, {});
    return new Core(checkExports(instance.exports));
  }

  /** Says one message and returns the answer, whose pieces stay good. Throws `CoreBroken`. */
  call(message: TimedCall, pieces: readonly Uint8Array[]): Output {
    if (this.#broken !== null) throw this.#broken;
    // Outside: what cannot be written down never reaches the core, and breaks nothing.
    const json = jsonBytes(message);
    const length = encodedLength(json, pieces);
    try {
      return readOutput(this.#exchange(length, json, pieces));
    } catch (error) {
      this.#broken = new CoreBroken("Kith's core stopped working", { cause: error });
      throw this.#broken;
    }
  }

  #exchange(length: number, json: Uint8Array, pieces: readonly Uint8Array[]): Bytes {
    const room = this.#exports.prepare(length);
    if (room === 0) throw new MalformedMessage(`a message of ${length} bytes is too long`);
    encodeInto(this.#memory(room, length), json, pieces);
    const outputLength = this.#exports.call() >>> 0;
    // A copy: the next call overwrites the memory, and may replace it.
    return this.#memory(this.#exports.output(), outputLength).slice();
  }

  #memory(address: number, length: number): Bytes {
    const buffer = this.#exports.memory.buffer as ArrayBuffer;
    // Addresses above two gigabytes arrive as negative numbers.
    const start = address >>> 0;
    if (length > buffer.byteLength - start) {
      throw new MalformedMessage(`${length} bytes at ${start} lie beyond the memory`);
    }
    return new Uint8Array(buffer, start, length);
  }
}

async function download(url: URL | string): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} could not be loaded: status ${response.status}`);
  return response.arrayBuffer();
}

function checkExports(exports: WebAssembly.Exports): Exports {
  const { memory, prepare, call, output } = exports;
  const areFunctions = [prepare, call, output].every((each) => typeof each === "function");
  if (!areFunctions || !(memory instanceof WebAssembly.Memory)) {
    throw new CoreBroken("this is not Kith's core");
  }
  return { memory, prepare, call, output } as unknown as Exports;
}

function readOutput(bytes: Bytes): Output {
  const { json, pieces } = decode(bytes);
  const { effects, wake_ms: wakeMs } = (json ?? {}) as { effects?: unknown; wake_ms?: unknown };
  if (!Array.isArray(effects)) throw new MalformedMessage("an answer without effects");
  if (wakeMs !== null && typeof wakeMs !== "number") throw new MalformedMessage("an answer without a time");
  return { effects: effects as Effect[], wakeMs, pieces };
}
