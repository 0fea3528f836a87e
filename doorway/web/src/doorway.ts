/**
 * What is said to a doorway over HTTP, one function a step.
 *
 * Invariants: every step can be aborted and ends by itself; no answer is read beyond its bound.
 * Non-goal: the order of the steps; see `visits.ts`.
 */

import type { Bytes } from "./bytes.js";

/** The doorway's own bound for frames. */
const FRAMES_BYTES_MAX = 16 * 1024 * 1024;

/** Far beyond any challenge, token or problem. */
const JSON_BYTES_MAX = 64 * 1024;

/** A doorway answers these at once; a slow line needs some seconds. */
const STEP_MS_MAX = 15_000;

/** The doorway waits up to 20 seconds, and a full batch takes a while on a slow line. */
const EXCHANGE_MS_MAX = 120_000;

const FRAMES_TYPE = "application/vnd.kith.frames";

/** The doorway answered, and not with what was asked for. */
export class DoorwayError extends Error {
  override readonly name = "DoorwayError";

  constructor(
    readonly status: number,
    /** The doorway's stable word for it, or `malformed`. */
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail);
  }
}

/** The doorway could not be asked, or its answer broke off. */
export class DoorwayUnreachable extends Error {
  override readonly name = "DoorwayUnreachable";
}

/** What a doorway wants signed. */
export interface Challenge {
  readonly challenge: string;
  readonly node: string;
}

/** The doorway's own answer to a challenge of ours. */
export interface Proof {
  readonly device: string;
  readonly signature: string;
}

/** The steps of a visit. */
export interface Steps {
  challenge(device: string, signal: AbortSignal): Promise<Challenge>;
  token(answer: { device: string; challenge: string; signature: string }, signal: AbortSignal): Promise<string>;
  proof(token: string, asked: { challenge: string; host: string }, signal: AbortSignal): Promise<Proof>;
  exchange(token: string, body: Bytes, signal: AbortSignal): Promise<Bytes>;
  nudge(token: string, signal: AbortSignal): Promise<boolean>;
}

/** A doorway at an address such as `https://kith.example`. */
export class Doorway implements Steps {
  constructor(readonly base: string) {}

  /** Asks for a challenge, for our device. */
  async challenge(device: string, signal: AbortSignal): Promise<Challenge> {
    const told = await this.#json("challenges", { device }, signal);
    return { challenge: text(told, "challenge"), node: text(told, "node") };
  }

  /** Trades a signed challenge for a token. */
  async token(
    answer: { device: string; challenge: string; signature: string },
    signal: AbortSignal,
  ): Promise<string> {
    return text(await this.#json("tokens", answer, signal), "token");
  }

  /** Lets the doorway prove whose it is. */
  async proof(token: string, asked: { challenge: string; host: string }, signal: AbortSignal): Promise<Proof> {
    const told = await this.#json("sync/proof", asked, signal, token);
    return { device: text(told, "device"), signature: text(told, "signature") };
  }

  /** Brings frames and gets some; waits until the doorway has something to say. */
  async exchange(token: string, body: Bytes, signal: AbortSignal): Promise<Bytes> {
    const headers = { authorization: `Bearer ${token}`, "content-type": FRAMES_TYPE };
    const limits = { timeMs: EXCHANGE_MS_MAX, bytes: FRAMES_BYTES_MAX };
    return this.#post("sync/frames", { headers, body }, limits, signal);
  }

  /** Has our waiting exchange answered now. False: none was waiting there. */
  async nudge(token: string, signal: AbortSignal): Promise<boolean> {
    const told = await this.#json("sync/nudge", undefined, signal, token);
    return (told as { waited?: unknown } | null)?.waited === true;
  }

  async #json(step: string, sent: unknown, signal: AbortSignal, token?: string): Promise<unknown> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    if (sent !== undefined) headers["content-type"] = "application/json";
    const request = { headers, body: sent === undefined ? null : JSON.stringify(sent) };
    const limits = { timeMs: STEP_MS_MAX, bytes: JSON_BYTES_MAX };
    return parse(await this.#post(step, request, limits, signal));
  }

  async #post(
    step: string,
    request: { headers: Record<string, string>; body: BodyInit | null },
    limits: { timeMs: number; bytes: number },
    signal: AbortSignal,
  ): Promise<Bytes> {
    signal.throwIfAborted();
    try {
      const response = await fetch(`${this.base}/api/v1/${step}`, {
        ...request,
        method: "POST",
        // The token is the only right that counts here, not a session of the browser.
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(limits.timeMs)]),
      });
      if (response.status === 200) return await readBounded(response, limits.bytes);
      throw problem(response.status, await readBounded(response, JSON_BYTES_MAX));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DoorwayError) throw error;
      throw new DoorwayUnreachable("the doorway does not answer", { cause: error });
    }
  }
}

async function readBounded(response: Response, bytesMax: number): Promise<Bytes> {
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      throw malformed(response.status, `an answer of more than ${bytesMax} bytes`);
    }
    parts.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function problem(status: number, body: Bytes): DoorwayError {
  // Whatever stands in front of a doorway may answer with a page instead.
  const told = (readJson(body) ?? {}) as { code?: unknown; detail?: unknown };
  const { code, detail } = told;
  if (typeof code !== "string") return malformed(status, `the doorway answered with status ${status}`);
  return new DoorwayError(status, code, typeof detail === "string" ? detail : code);
}

function parse(body: Bytes): unknown {
  const told = readJson(body);
  if (told === undefined) throw malformed(200, "the doorway's answer is not JSON");
  return told;
}

function readJson(body: Bytes): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

function text(told: unknown, field: string): string {
  const value = (told as Record<string, unknown> | null)?.[field];
  if (typeof value !== "string") throw malformed(200, `the doorway's answer has no ${field}`);
  return value;
}

function malformed(status: number, detail: string): DoorwayError {
  return new DoorwayError(status, "malformed", detail);
}
