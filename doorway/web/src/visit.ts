/**
 * One visit at a doorway: from the token to its end. Exchanges and nudges run beside the
 * calls of the core and come back as calls.
 *
 * Invariant: after its end nothing of it reaches the core.
 */

import type { Bytes } from "./bytes.js";
import { DoorwayError, type Steps } from "./doorway.js";
import { reasonOf } from "./errors.js";
import type { Call } from "./protocol.js";
import { sleep } from "./sleep.js";

/** A nudge that found nobody waiting came before its exchange. */
const NUDGE_AGAIN_MS = 100;

/** How a visit ended. */
export interface Ended {
  readonly why: string;
  /** The token is not good any more, and had been: knocking again helps. */
  readonly isTokenOver: boolean;
}

/** Tells the core something; never while `signal` is aborted. */
export type Tell = (call: Call, pieces: readonly Bytes[], signal: AbortSignal) => Promise<unknown>;

/** A visit under way. */
export class Visit {
  /** Resolves when it is over. */
  readonly ended: Promise<Ended>;
  readonly #steps: Steps;
  readonly #token: string;
  readonly #tell: Tell;
  readonly #ending = new AbortController();
  #end: (ended: Ended) => void = () => undefined;
  #answers = 0;
  /** Counts exchanges; null between two. */
  #underWay: number | null = null;
  #isNudging = false;
  #isTokenOver = false;

  constructor(steps: Steps, token: string, tell: Tell) {
    this.#steps = steps;
    this.#token = token;
    this.#tell = tell;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** Whether the doorway has answered at all. */
  get wasUseful(): boolean {
    return this.#answers > 0;
  }

  /** Sends frames; the answer is told to the core. */
  exchange(body: Bytes): void {
    void this.#exchange(body).catch((error: unknown) => this.end(reasonOf(error)));
  }

  /** Has the exchange under way answered soon. */
  nudge(): void {
    if (this.#underWay === null || this.#isNudging) return;
    this.#isNudging = true;
    // A nudge that fails says nothing that the exchange will not say.
    void this.#nudge(this.#underWay)
      .catch(() => undefined)
      .finally(() => (this.#isNudging = false));
  }

  /** Ends it: whatever is under way is aborted. */
  end(why: string): void {
    this.#end({ why, isTokenOver: this.#isTokenOver });
    this.#ending.abort();
  }

  async #exchange(body: Bytes): Promise<void> {
    const signal = this.#ending.signal;
    this.#underWay = this.#answers;
    let answer: Bytes;
    try {
      answer = await this.#steps.exchange(this.#token, body, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#isTokenOver = this.wasUseful && error instanceof DoorwayError && error.status === 401;
      await this.#tell({ do: "lost", why: reasonOf(error) }, [], signal);
      return this.end(reasonOf(error));
    } finally {
      this.#underWay = null;
    }
    this.#answers += 1;
    await this.#tell({ do: "returned" }, [answer], signal);
  }

  async #nudge(exchange: number): Promise<void> {
    const signal = this.#ending.signal;
    while (this.#underWay === exchange && !(await this.#steps.nudge(this.#token, signal))) {
      await sleep(NUDGE_AGAIN_MS, signal);
    }
  }
}
