/** Bytes that may be stored, sent and encrypted: their memory belongs to nobody else. */
export type Bytes = Uint8Array<ArrayBuffer>;
