/**
 * What the scripts and the core say to each other: JSON, then pieces of bytes, each with its
 * length before it as 32 bits, little endian. JSON refers to pieces by number.
 *
 * Invariant: a length is believed only after it was compared with the bytes that are there.
 */

import type { Bytes } from "./bytes.js";

/** Longest message, either way: what a length of 32 bits can say. */
const MESSAGE_BYTES_MAX = 0xffff_ffff;

const LENGTH_BYTES = 4;

/** A message that breaks off, or that is longer than one can be. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

/** A message, taken apart. */
export interface Message {
  readonly json: unknown;
  readonly pieces: readonly Bytes[];
}

/** How many bytes a message has. */
export function encodedLength(json: Uint8Array, pieces: readonly Uint8Array[]): number {
  let length = LENGTH_BYTES + json.length;
  for (const piece of pieces) length += LENGTH_BYTES + piece.length;
  if (length > MESSAGE_BYTES_MAX) throw new MalformedMessage(`a message of ${length} bytes is too long`);
  return length;
}

/** Writes a message; `into` has exactly `encodedLength` bytes. */
export function encodeInto(into: Uint8Array, json: Uint8Array, pieces: readonly Uint8Array[]): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  let at = 0;
  for (const part of [json, ...pieces]) {
    view.setUint32(at, part.length, true);
    into.set(part, at + LENGTH_BYTES);
    at += LENGTH_BYTES + part.length;
  }
}

/** A whole message as bytes. */
export function encode(json: unknown, pieces: readonly Uint8Array[] = []): Bytes {
  const text = jsonBytes(json);
  const bytes = new Uint8Array(encodedLength(text, pieces));
  encodeInto(bytes, text, pieces);
  return bytes;
}

/** Takes a message apart. The pieces are views of `bytes`. */
export function decode(bytes: Bytes): Message {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Bytes[] = [];
  let at = 0;
  while (at < bytes.length || parts.length === 0) {
    if (bytes.length - at < LENGTH_BYTES) throw new MalformedMessage("a length is cut off");
    const length = view.getUint32(at, true);
    at += LENGTH_BYTES;
    if (length > bytes.length - at) {
      throw new MalformedMessage(`${length} bytes announced, ${bytes.length - at} are there`);
    }
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  const [text, ...pieces] = parts;
  return { json: readJson(text ?? new Uint8Array()), pieces };
}

/** JSON in UTF-8. */
export function jsonBytes(json: unknown): Bytes {
  return new TextEncoder().encode(JSON.stringify(json)) as Bytes;
}

function readJson(text: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch (error) {
    throw new MalformedMessage("what stands before the pieces is not JSON in UTF-8", { cause: error });
  }
}
