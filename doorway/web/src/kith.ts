/**
 * A node of one's own in a browser or a program: a core, a store, and visits at one doorway.
 *
 * Invariant: a promise for something written resolves when it is kept, not earlier.
 */

import type { Callable } from "./core.js";
import type { Steps } from "./doorway.js";
import { AskFailed, Stopped } from "./errors.js";
import type * as Protocol from "./protocol.js";
import { type OtherEffect, Runner } from "./runner.js";
import type { Store } from "./store.js";
import { type Connection, Visits } from "./visits.js";

const RANDOM_BYTES = 32;

/** How people and programs see each other. */
export interface Introduction {
  readonly agentName: string;
  readonly deviceName: string;
}

/** What a `Kith` is made of. */
export interface KithOptions {
  /** A new core, that nobody has called. */
  readonly core: Callable;
  readonly store: Store;
  readonly doorway: Steps;
  /** How the doorway is reached, as in `location.host`. */
  readonly host: string;
  /** Who is this? Asked only when nothing is stored yet. */
  readonly introduce: () => Promise<Introduction>;
  /** How long to pause after this many failures in a row. */
  readonly pauseMs?: (failures: number) => number;
}

/** What happens, and what is told about it. */
export interface KithEvents {
  readonly changed: Protocol.Changed;
  readonly connection: Connection;
  readonly stopped: Stopped;
}

type Listener<Name extends keyof KithEvents> = (told: KithEvents[Name]) => void;

interface Waiting {
  readonly resolve: (ok: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A node of one's own. */
export class Kith {
  readonly #runner: Runner;
  readonly #listeners = {
    changed: new Set<Listener<"changed">>(),
    connection: new Set<Listener<"connection">>(),
    stopped: new Set<Listener<"stopped">>(),
  };
  readonly #waiting = new Map<number, Waiting>();
  readonly #hurry = () => this.hurry();
  #visits: Visits | null = null;
  /** Effects of opening that are for visits, which begin after it. */
  #dialled: string[] = [];
  #identity: Protocol.Identity | null = null;
  #connection: Connection = "offline";
  #lastId = 0;

  private constructor(options: KithOptions) {
    this.#runner = new Runner({
      core: options.core,
      store: options.store,
      onEffect: (effect) => this.#on(effect),
      onStopped: (stopped) => this.#onStopped(stopped),
    });
  }

  /** Opens what is stored, or begins anew; then visits the doorway as long as it lasts. */
  static async open(options: KithOptions): Promise<Kith> {
    const kith = new Kith(options);
    await kith.#open(options);
    return kith;
  }

  /** Whether the doorway is reached. */
  get connection(): Connection {
    return this.#connection;
  }

  /** Calls `listener` whenever it happens; returns what ends that. */
  on<Name extends keyof KithEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.#listeners[name] as Set<Listener<Name>>;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Who we are here. */
  identity(): Promise<Protocol.Identity> {
    return this.#ask({ ask: "identity" });
  }

  /** Spaces and people at a glance. */
  status(): Promise<Protocol.Status> {
    return this.#ask({ ask: "status" });
  }

  /** The documents of a space. */
  async docs(space: string): Promise<readonly Protocol.DocumentInfo[]> {
    return (await this.#ask<{ docs: readonly Protocol.DocumentInfo[] }>({ ask: "docs", space })).docs;
  }

  /** A document with what it says. */
  read(space: string, doc: string): Promise<Protocol.Document> {
    return this.#ask({ ask: "read", space, doc });
  }

  /** Writes a new document. */
  create(
    space: string,
    value: { readonly [key: string]: Protocol.Json },
    about: { readonly type?: string; readonly title?: string } = {},
  ): Promise<Protocol.Written> {
    return this.#ask({ ask: "create", space, value, ...about });
  }

  /** Writes one value of a document; `path` is a JSON Pointer. */
  set(space: string, doc: string, path: string, value: Protocol.Json): Promise<Protocol.Written> {
    return this.#ask({ ask: "set", space, doc, path, value });
  }

  /** Writes several values of a document, all or none. */
  patch(space: string, doc: string, operations: readonly Protocol.Operation[]): Promise<Protocol.Written> {
    return this.#ask({ ask: "patch", space, doc, operations });
  }

  /** Removes a document. */
  remove(space: string, doc: string): Promise<Protocol.Written> {
    return this.#ask({ ask: "remove", space, doc });
  }

  /** Makes a new space. */
  found(name: string): Promise<{ readonly space: string; readonly name: string }> {
    return this.#ask({ ask: "found", name });
  }

  /** Follows an invitation up to a code that both sides compare. */
  pair(ticket: string): Promise<Protocol.Pairing> {
    this.hurry();
    return this.#ask({ ask: "pair", ticket });
  }

  /** Says whether the codes were the same. */
  confirm(device: string, isSame: boolean): Promise<Protocol.Paired> {
    return this.#ask({ ask: "confirm", device, is_same: isSame });
  }

  /** Tries to reach the doorway now. */
  hurry(): void {
    this.#visits?.hurry();
  }

  /** Stops; resolves when nothing is being written any more. */
  async close(): Promise<void> {
    this.#runner.stop("closed", "Kith was closed");
    await this.#runner.idle();
  }

  async #open({ store, introduce, doorway, host, pauseMs }: KithOptions): Promise<void> {
    const { keys, records } = await store.load();
    // The names of somebody who was here before are among the records. Keys alone are there
    // when the first opening ended before it kept them.
    const who = records.length === 0 ? await introduce() : { agentName: "", deviceName: "" };
    const random = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
    const pieces = [random, ...(keys === null ? [] : [keys]), ...records.flat()];
    const names = { agent_name: who.agentName, device_name: who.deviceName };
    await this.#runner.call({ do: "open", ...names, has_keys: keys !== null }, pieces);
    if (this.#identity === null) throw this.#runner.stop("unopened", "Kith's core did not open");

    this.#visits = new Visits({
      steps: doorway,
      host,
      device: this.#identity.node,
      tell: (call, pieces, signal) => this.#runner.call(call, pieces, signal),
      hasPeers: () => this.#hasPeers(),
      onConnection: (connection) => this.#onConnection(connection),
      ...(pauseMs === undefined ? {} : { pauseMs }),
    });
    for (const device of this.#dialled) this.#visits.dial(device);
    globalThis.addEventListener?.("online", this.#hurry);
    this.#visits.start();
  }

  async #hasPeers(): Promise<boolean> {
    try {
      return (await this.status()).peers.length > 0;
    } catch (error) {
      if (error instanceof AskFailed) return false;
      throw error;
    }
  }

  #ask<Answer>(ask: Protocol.Ask): Promise<Answer> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (ok) => resolve(ok as Answer), reject });
      this.#runner.call({ do: "ask", id, ask }).catch((error: unknown) => {
        this.#waiting.delete(id);
        reject(error);
      });
    });
  }

  #on(effect: OtherEffect): void {
    switch (effect.do) {
      case "opened":
        this.#identity = effect;
        return;
      case "dial":
        if (this.#visits === null) this.#dialled.push(effect.device);
        return this.#visits?.dial(effect.device);
      case "exchange":
        return this.#visits?.exchange(effect.body);
      case "nudge":
        return this.#visits?.nudge();
      case "entered":
        return this.#visits?.entered();
      case "over":
        return this.#visits?.over(effect.why);
      case "reply":
        return this.#onReply(effect);
      case "changed":
        return this.#emit("changed", { space: effect.space, documents: effect.documents });
      case "signed":
      case "refused":
        // For whoever knocked, who reads the output.
        return;
    }
  }

  #onReply({ id, ok, error }: { id: number; ok?: unknown; error?: Protocol.Failure }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(ok);
    else waiting?.reject(new AskFailed(error));
  }

  #onConnection(connection: Connection): void {
    if (connection === this.#connection) return;
    this.#connection = connection;
    this.#emit("connection", connection);
  }

  #onStopped(stopped: Stopped): void {
    globalThis.removeEventListener?.("online", this.#hurry);
    this.#visits?.close();
    for (const { reject } of this.#waiting.values()) reject(stopped);
    this.#waiting.clear();
    this.#emit("stopped", stopped);
  }

  #emit<Name extends keyof KithEvents>(name: Name, told: KithEvents[Name]): void {
    for (const listener of this.#listeners[name] as Set<Listener<Name>>) {
      // A listener that fails is its own problem, and not the core's.
      try {
        listener(told);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
