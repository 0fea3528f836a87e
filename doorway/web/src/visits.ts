/**
 * Visits the doorway whenever there is a reason: somebody wants to reach it, or we know
 * somebody at all. After a visit, or an attempt, it pauses, longer each time.
 *
 * Invariant: nothing here waits for the core inside a call of the core.
 * Non-goal: what is said; the core decides whom it visits.
 */

import type { Bytes } from "./bytes.js";
import type { Output } from "./core.js";
import type { Steps } from "./doorway.js";
import { reasonOf } from "./errors.js";
import type { Call, Refused, Signed } from "./protocol.js";
import { sleep } from "./sleep.js";
import { Visit } from "./visit.js";

/** How far the doorway is. */
export type Connection = "offline" | "connecting" | "connected";

const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 60_000;

/** Doubles with each failure, up to a minute; up to half less, so that not all come at once. */
export function pauseAfter(failures: number): number {
  const longest = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(failures, 16));
  return longest * (1 - Math.random() / 2);
}

/** What visiting needs of the rest. */
export interface VisitsOptions {
  readonly steps: Steps;
  /** This device. */
  readonly device: string;
  /** How the doorway is reached, as in `location.host`. */
  readonly host: string;
  /** Tells the core something. With a signal: not if it is aborted by then. */
  readonly tell: (call: Call, pieces?: readonly Bytes[], signal?: AbortSignal) => Promise<Output>;
  readonly hasPeers: () => Promise<boolean>;
  readonly onConnection: (connection: Connection) => void;
  readonly pauseMs?: (failures: number) => number;
}

/** The loop that visits. */
export class Visits {
  readonly #options: VisitsOptions;
  readonly #closing = new AbortController();
  /** Devices that somebody wants to reach. */
  #wanted = new Set<string>();
  /** The visit that has begun, and where. */
  #current: { readonly visit: Visit; readonly node: string } | null = null;
  #failures = 0;
  /** Ends the wait for a reason, or the pause. */
  #waiting = new AbortController();
  #isPausing = false;

  constructor(options: VisitsOptions) {
    this.#options = options;
  }

  /** Begins; ends with `close`. */
  start(): void {
    // It ends when nothing can be told to the core any more, and then there is nobody to tell.
    void this.#run().catch(() => this.close());
  }

  /** Somebody wants to reach this device. */
  dial(device: string): void {
    if (this.#current !== null) {
      if (device !== this.#current.node) void this.#turnAway(device).catch(() => undefined);
      return;
    }
    this.#wanted.add(device);
    // A pause stays as long as it is: the core may dial as often as it likes.
    if (!this.#isPausing) this.#waiting.abort();
  }

  /** Tries at once: there is a network again, or somebody waits. */
  hurry(): void {
    this.#failures = 0;
    this.#waiting.abort();
  }

  /** Sends frames of the visit. */
  exchange(body: Bytes): void {
    if (this.#current !== null) return this.#current.visit.exchange(body);
    void this.#options.tell({ do: "lost", why: "there is no visit" }).catch(() => undefined);
  }

  /** Has the exchange under way answered soon. */
  nudge(): void {
    this.#current?.visit.nudge();
  }

  /** The core has begun the visit. */
  entered(): void {
    if (!this.#closing.signal.aborted) this.#options.onConnection("connected");
  }

  /** The core has ended the visit. */
  over(why: string): void {
    this.#current?.visit.end(why);
  }

  /** Ends the visit and the loop. */
  close(): void {
    this.#closing.abort();
    this.#waiting.abort();
    this.#current?.visit.end("closed");
    this.#options.onConnection("offline");
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#waiting = new AbortController();
      const { signal } = this.#waiting;
      if (this.#wanted.size > 0 || (await this.#options.hasPeers())) {
        await this.#attempt();
      } else {
        await sleep(PAUSE_MS_MAX, signal);
      }
    }
  }

  async #attempt(): Promise<void> {
    const asked = this.#wanted;
    // Who is dialled from now on is for the next attempt, should this one fail.
    this.#wanted = new Set();
    let isAgain = false;
    this.#options.onConnection("connecting");
    try {
      isAgain = await this.#go(asked);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      for (const device of asked) await this.#turnAway(device, reasonOf(error));
    } finally {
      this.#current?.visit.end("over");
      this.#current = null;
    }
    if (this.#closing.signal.aborted) return;
    this.#options.onConnection("offline");
    if (!isAgain) await this.#pause();
  }

  /** Knocks, enters, and stays until the end. True: again at once. */
  async #go(asked: Set<string>): Promise<boolean> {
    const { steps, device, host, tell } = this.#options;
    const { signal } = this.#closing;
    const { challenge, node } = await steps.challenge(device, signal);
    await this.#turnAwayAllBut(node, asked);
    if (asked.size === 0 && !(await this.#options.hasPeers())) return false;

    const signed = answerTo(await tell({ do: "knock", node, host, challenge }));
    const answer = { device: signed.device, challenge, signature: signed.signature };
    const token = await steps.token(answer, signal);
    const back = { challenge: signed.challenge, host: signed.host };
    const { signature } = await steps.proof(token, back, signal);

    const visit = new Visit(steps, token, tell);
    this.#current = { visit, node };
    const { effects } = await tell({ do: "enter", node, signature });
    const refused = effects.find((effect) => effect.do === "refused");
    if (refused !== undefined) throw new Error(refused.why);
    asked.clear();
    await this.#turnAwayAllBut(node, this.#wanted);
    this.#wanted.clear();

    const { isTokenOver } = await visit.ended;
    if (visit.wasUseful) this.#failures = 0;
    return isTokenOver;
  }

  async #turnAwayAllBut(node: string, devices: Set<string>): Promise<void> {
    for (const device of [...devices]) {
      if (device === node) continue;
      devices.delete(device);
      await this.#turnAway(device);
    }
  }

  async #turnAway(device: string, why = "from here only the doorway's own device is reached"): Promise<void> {
    await this.#options.tell({ do: "unreachable", device, why });
  }

  async #pause(): Promise<void> {
    this.#waiting = new AbortController();
    this.#isPausing = true;
    const pauseMs = (this.#options.pauseMs ?? pauseAfter)(this.#failures);
    this.#failures += 1;
    await sleep(pauseMs, this.#waiting.signal);
    this.#isPausing = false;
  }
}

function answerTo({ effects }: Output): Signed {
  const answer = effects.find((effect): effect is Signed | Refused => effect.do === "signed" || effect.do === "refused");
  if (answer === undefined) throw new Error("the core did not answer a knock");
  if (answer.do === "refused") throw new Error(answer.why);
  return answer;
}
