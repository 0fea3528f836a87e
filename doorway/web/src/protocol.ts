/** What can be said to the core and what it asks for. `core.ts` carries it. */

/** Both clocks, in whole milliseconds; `ms` never goes back while a core lives. */
export interface Now {
  readonly wall_ms: number;
  readonly ms: number;
}

/** Something that happened, for the core. */
export type Call =
  | { readonly do: "open"; readonly agent_name: string; readonly device_name: string; readonly has_keys: boolean }
  | { readonly do: "ask"; readonly id: number; readonly ask: Ask }
  | { readonly do: "knock"; readonly node: string; readonly host: string; readonly challenge: string }
  | { readonly do: "enter"; readonly node: string; readonly signature: string }
  | { readonly do: "returned" }
  | { readonly do: "lost"; readonly why: string }
  | { readonly do: "unreachable"; readonly device: string; readonly why: string }
  | { readonly do: "load" }
  | { readonly do: "tick" };

/** A call at its time. */
export type TimedCall = Call & { readonly now: Now };

/** Something that the core wants done. Numbers in `keep`, `keys`, `load` and `exchange` are pieces. */
export type Effect =
  | { readonly do: "keep"; readonly puts: readonly (readonly [number, number])[]; readonly deletes: readonly number[] }
  | { readonly do: "keys"; readonly piece: number }
  | { readonly do: "load"; readonly mark: readonly [number, number] }
  | ({ readonly do: "opened" } & Identity)
  | { readonly do: "failed"; readonly why: string }
  | { readonly do: "dial"; readonly device: string }
  | Signed
  | Refused
  | { readonly do: "exchange"; readonly piece: number }
  | { readonly do: "nudge" }
  | { readonly do: "entered"; readonly node: string }
  | { readonly do: "over"; readonly why: string }
  | { readonly do: "reply"; readonly id: number; readonly ok?: unknown; readonly error?: Failure }
  | ({ readonly do: "changed" } & Changed);

/** Our answer to a doorway's challenge, and a challenge back. */
export interface Signed {
  readonly do: "signed";
  readonly device: string;
  readonly signature: string;
  readonly challenge: string;
  readonly host: string;
}

/** The doorway is not one that we visit. */
export interface Refused {
  readonly do: "refused";
  readonly why: string;
}

/** Documents of a space that look different now. */
export interface Changed {
  readonly space: string;
  readonly documents: readonly string[];
}

/** Why something asked for did not happen. */
export interface Failure {
  readonly code: string;
  /** What happened. */
  readonly message: string;
  /** What state it left. */
  readonly state: string;
  /** What mends it. */
  readonly fix: string;
}

/** Any value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One step of a JSON Patch (RFC 6902). */
export type Operation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: Json }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "move" | "copy"; readonly from: string; readonly path: string };

/** A question or a wish of the person or program. */
export type Ask =
  | { readonly ask: "identity" | "status" }
  | { readonly ask: "pair"; readonly ticket: string }
  | { readonly ask: "confirm"; readonly device: string; readonly is_same: boolean }
  | { readonly ask: "found"; readonly name: string }
  | { readonly ask: "docs"; readonly space: string }
  | { readonly ask: "read" | "remove"; readonly space: string; readonly doc: string }
  | { readonly ask: "create"; readonly space: string; readonly value: Json; readonly type?: string; readonly title?: string }
  | { readonly ask: "set"; readonly space: string; readonly doc: string; readonly path: string; readonly value: Json }
  | { readonly ask: "patch"; readonly space: string; readonly doc: string; readonly operations: readonly Operation[] };

/** Who we are here. */
export interface Identity {
  /** This device. */
  readonly node: string;
  readonly agent: string;
  readonly name: string;
  readonly device_name: string;
}

/** How far a space is; `offline`: not everybody who has it is connected. */
export type SpaceState = "local" | "synced" | "syncing" | "behind" | "offline" | "unopened";

/** How far a peer is. */
export type PeerState = "synced" | "syncing" | "behind" | "unreachable";

/** What one may do in a space; null: not in it any more. */
export type Role = "custodian" | "reader" | "writer" | "admin";

/** A space as this device knows it. */
export interface SpaceStatus {
  readonly space: string;
  readonly name: string;
  readonly role: Role | null;
  readonly documents: number;
  readonly entries: number;
  readonly safe_entries: number;
  readonly state: SpaceState;
  /** Whether it is the person's own, for progress and notes. */
  readonly home: boolean;
}

/** A device of somebody whom we know. */
export interface PeerStatus {
  readonly device: string;
  readonly agent: string | null;
  readonly name: string;
  readonly connected: boolean;
  readonly state: PeerState;
}

/** Everything at a glance. */
export interface Status {
  readonly spaces: readonly SpaceStatus[];
  readonly peers: readonly PeerStatus[];
}

/** A device to compare six digits with. */
export interface Pairing {
  readonly device: string;
  readonly code: string;
}

/** Whom we are related to now. */
export interface Paired {
  readonly device: string;
  readonly agent: string;
  readonly name: string;
}

/** A document in a list. */
export interface DocumentInfo {
  readonly doc: string;
  readonly type: string;
  readonly title: string;
  readonly path: string | null;
}

/** A document with what it says. */
export interface Document extends DocumentInfo {
  readonly heads: readonly string[];
  readonly value: Json;
  /** "safe" when others have it too. */
  readonly durability: "local" | "safe";
  /** How many entries of it cannot be read here: what they say is missing. */
  readonly refused: number;
}

/** A document after it was written. */
export interface Written {
  readonly doc: string;
  readonly heads: readonly string[];
}
