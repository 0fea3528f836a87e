/** What a program that uses Kith is told when something did not work. */

import type { Failure } from "./protocol.js";

/** Something asked for did not happen; nothing else is wrong. */
export class AskFailed extends Error {
  override readonly name = "AskFailed";
  /** A stable word for it. */
  readonly code: string;
  /** What state it left. */
  readonly state: string;
  /** What mends it. */
  readonly fix: string;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
    this.state = failure.state;
    this.fix = failure.fix;
  }
}

/** Why a `Kith` is of no use any more. */
export type StopReason =
  /** Somebody closed it. */
  | "closed"
  /** What had to be kept could not be: the storage is full, or was taken away. */
  | "storage"
  /** The core broke. */
  | "core"
  /** The core broke at a document, which is left alone from the next opening on. */
  | "document"
  /** What is stored cannot be opened. */
  | "unopened";

/** This `Kith` has stopped; open a new one. What was replied to is kept. */
export class Stopped extends Error {
  override readonly name = "Stopped";

  constructor(
    readonly reason: StopReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an error says. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
