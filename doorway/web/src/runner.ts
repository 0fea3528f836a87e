/**
 * Calls the core, one call at a time, and keeps what it asks to keep.
 *
 * Invariants: the next call begins only when all effects of the last are done; after anything
 * that could not be kept, and after a trap, the core is never called again.
 */

import type { Bytes } from "./bytes.js";
import { CoreBroken, type Callable, type Output } from "./core.js";
import { reasonOf, Stopped, type StopReason } from "./errors.js";
import type { Call, Effect } from "./protocol.js";
import type { Entry, Store } from "./store.js";

/** Timers know no longer time. */
const TIMER_MS_MAX = 0x7fff_ffff;

/** An effect that is not for the store, with its bytes. */
export type OtherEffect =
  | Exclude<Effect, { do: "keep" | "keys" | "load" | "failed" | "exchange" }>
  | { readonly do: "exchange"; readonly body: Bytes };

/** What a runner hands on. */
export interface RunnerOptions {
  readonly core: Callable;
  readonly store: Store;
  /** Must not wait for another call. */
  readonly onEffect: (effect: OtherEffect) => void;
  /** Once, at the end. */
  readonly onStopped: (stopped: Stopped) => void;
}

/** The only one who calls the core. */
export class Runner {
  readonly #options: RunnerOptions;
  #queue: Promise<unknown> = Promise.resolve();
  #stopped: Stopped | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Of each document that is still to be loaded: what to keep if that breaks the core. */
  readonly #marks: Entry[] = [];

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all effects of the call are done. With a signal: the call is not made if it
   * is aborted when its turn comes.
   */
  call(call: Call, pieces: readonly Bytes[] = [], signal?: AbortSignal): Promise<Output> {
    const turn = this.#queue.then(() => this.#turn(call, pieces, signal));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Makes no more calls; returns why. The first reason stays. */
  stop(reason: StopReason, message: string, cause?: unknown): Stopped {
    if (this.#stopped !== null) return this.#stopped;
    this.#stopped = new Stopped(reason, message, { cause });
    clearTimeout(this.#timer);
    this.#options.onStopped(this.#stopped);
    return this.#stopped;
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    await this.#queue;
  }

  async #turn(call: Call, pieces: readonly Bytes[], signal?: AbortSignal): Promise<Output> {
    if (this.#stopped !== null) throw this.#stopped;
    signal?.throwIfAborted();
    const output = await this.#callCore(call, pieces);
    for (const effect of output.effects) {
      await this.#apply(effect, output.pieces);
      if (this.#stopped !== null) throw this.#stopped;
    }
    this.#wakeAt(output.wakeMs);
    return output;
  }

  async #callCore(call: Call, pieces: readonly Bytes[]): Promise<Output> {
    const mark = call.do === "load" ? this.#marks.shift() : undefined;
    try {
      return this.#options.core.call({ ...call, now: { wall_ms: Date.now(), ms: nowMs() } }, pieces);
    } catch (error) {
      if (!(error instanceof CoreBroken)) throw error;
      if (mark === undefined) throw this.stop("core", error.message, error);
      await this.#keep(this.#options.store.keep([mark], []));
      throw this.stop("document", "a document could not be read and is left alone from now on", error);
    }
  }

  async #apply(effect: Effect, pieces: readonly Bytes[]): Promise<void> {
    const { store, onEffect } = this.#options;
    const pick = (number: number) => this.#pick(pieces, number);
    switch (effect.do) {
      case "keep": {
        const puts = effect.puts.map(([key, value]) => [pick(key), pick(value)] as const);
        return this.#keep(store.keep(puts, effect.deletes.map(pick)));
      }
      case "keys":
        return this.#keep(store.keepKeys(pick(effect.piece)));
      case "load":
        this.#marks.push([pick(effect.mark[0]), pick(effect.mark[1])]);
        // Not waited for: it has its turn after this one.
        void this.call({ do: "load" }).catch(() => undefined);
        return;
      case "failed":
        throw this.stop("unopened", effect.why);
      case "exchange":
        return onEffect({ do: "exchange", body: pick(effect.piece) });
      case "opened":
      case "dial":
      case "signed":
      case "refused":
      case "nudge":
      case "entered":
      case "over":
      case "reply":
      case "changed":
        return onEffect(effect);
      default:
        // An effect left out could be one that later ones build upon.
        effect satisfies never;
        throw this.stop("core", "Kith's core asks for something unknown: reload the page");
    }
  }

  async #keep(keeping: Promise<void>): Promise<void> {
    try {
      await keeping;
    } catch (error) {
      throw this.stop("storage", `it could not be stored: ${reasonOf(error)}`, error);
    }
  }

  #pick(pieces: readonly Bytes[], number: number): Bytes {
    const piece = pieces[number];
    if (piece === undefined) throw this.stop("core", "Kith's core speaks of bytes that are not there");
    return piece;
  }

  #wakeAt(wakeMs: number | null): void {
    clearTimeout(this.#timer);
    if (wakeMs === null) return;
    const waitMs = Math.min(Math.max(0, wakeMs - nowMs()), TIMER_MS_MAX);
    this.#timer = setTimeout(() => void this.call({ do: "tick" }).catch(() => undefined), waitMs);
  }
}

/** Never goes back while the page or program runs. */
function nowMs(): number {
  return Math.floor(performance.now());
}
