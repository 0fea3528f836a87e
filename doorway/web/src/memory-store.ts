/** A store that ends with the program: for tests, and for programs without a disk. */

import type { Bytes } from "./bytes.js";
import type { Entry, Store, Stored } from "./store.js";

/** Keeps everything in memory. Keys stay as they are: whoever reads memory has them anyway. */
export class MemoryStore implements Store {
  #keys: Bytes | null = null;
  readonly #records = new Map<string, Entry>();

  async load(): Promise<Stored> {
    const records = [...this.#records.entries()]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, [key, value]]): Entry => [key.slice(), value.slice()]);
    return { keys: this.#keys?.slice() ?? null, records };
  }

  async keep(puts: readonly Entry[], deletes: readonly Bytes[]): Promise<void> {
    for (const [key, value] of puts) this.#records.set(name(key), [key.slice(), value.slice()]);
    for (const key of deletes) this.#records.delete(name(key));
  }

  async keepKeys(keys: Bytes): Promise<void> {
    this.#keys = keys.slice();
  }
}

function name(key: Bytes): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
