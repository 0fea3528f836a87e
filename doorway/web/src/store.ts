/**
 * Where everything is kept: records of the core, and the secret keys, sealed.
 *
 * Invariants: `keep` resolves only when the browser says that all of it is on the disk; a
 * change is there as a whole or not at all.
 */

import type { Bytes } from "./bytes.js";

/** A record: its key and its value, both opaque. */
export type Entry = readonly [key: Bytes, value: Bytes];

/** What was kept. */
export interface Stored {
  /** The secret keys; null when nothing was opened here yet. */
  readonly keys: Bytes | null;
  readonly records: readonly Entry[];
}

/** Keeps what the core asks to keep. */
export interface Store {
  /** Everything, to open a core from. */
  load(): Promise<Stored>;
  /** Writes durably, all or none. */
  keep(puts: readonly Entry[], deletes: readonly Bytes[]): Promise<void>;
  /** Seals the secret keys and writes them durably. */
  keepKeys(keys: Bytes): Promise<void>;
}

const RECORDS = "records";
const KEYS = "keys";
const SEALED = "sealed";

/** What unlocks the keys never leaves the browser: scripts can use it and not read it. */
const SEALING = { name: "AES-GCM", length: 256 } as const;

const NONCE_BYTES = 12;

interface SealedKeys {
  readonly sealing: CryptoKey;
  readonly nonce: Bytes;
  readonly bytes: ArrayBuffer;
}

/** A store in a database of the browser. */
export class IndexedDbStore implements Store {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
    // Somebody who wants to delete the database must not wait for us.
    database.onversionchange = () => database.close();
  }

  /** Opens the database, and asks the browser not to clear it away. */
  static async open(name = "kith"): Promise<IndexedDbStore> {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(RECORDS);
      request.result.createObjectStore(KEYS);
    };
    const store = new IndexedDbStore(await answer(request));
    // Not waited for: one browser asks the person, who may take a while.
    void navigator.storage?.persist?.().catch(() => false);
    return store;
  }

  async load(): Promise<Stored> {
    const transaction = this.#database.transaction([RECORDS, KEYS], "readonly");
    const records = transaction.objectStore(RECORDS);
    const [sealed, keys, values] = await Promise.all([
      answer(transaction.objectStore(KEYS).get(SEALED) as IDBRequest<SealedKeys | undefined>),
      answer(records.getAllKeys()),
      answer(records.getAll() as IDBRequest<Bytes[]>),
    ]);
    const entries = values.map((value, index): Entry => [new Uint8Array(keys[index] as ArrayBuffer), value]);
    return { keys: sealed === undefined ? null : await unseal(sealed), records: entries };
  }

  async keep(puts: readonly Entry[], deletes: readonly Bytes[]): Promise<void> {
    const transaction = this.#write(RECORDS);
    const records = transaction.objectStore(RECORDS);
    // A view is stored with all the memory that it is a view of, so a copy goes in.
    for (const [key, value] of puts) records.put(value.slice(), key);
    for (const key of deletes) records.delete(key);
    await complete(transaction);
  }

  async keepKeys(keys: Bytes): Promise<void> {
    const sealing = await crypto.subtle.generateKey(SEALING, false, ["encrypt", "decrypt"]);
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const bytes = await crypto.subtle.encrypt({ name: SEALING.name, iv: nonce }, sealing, keys);
    const transaction = this.#write(KEYS);
    transaction.objectStore(KEYS).put({ sealing, nonce, bytes } satisfies SealedKeys, SEALED);
    await complete(transaction);
  }

  /** Lets go of the database. */
  close(): void {
    this.#database.close();
  }

  #write(name: string): IDBTransaction {
    return this.#database.transaction([name], "readwrite", { durability: "strict" });
  }
}

async function unseal({ sealing, nonce, bytes }: SealedKeys): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.decrypt({ name: SEALING.name, iv: nonce }, sealing, bytes));
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function complete(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the database gave up"));
  });
}
