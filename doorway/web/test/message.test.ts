import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, MalformedMessage } from "../src/message.js";

const bytes = (...numbers: number[]) => new Uint8Array(numbers);

test("a message comes back as it was", () => {
  const json = { effects: [{ do: "keep", puts: [[0, 1]], deletes: [] }], wake_ms: null, name: "Zoë" };
  const pieces = [bytes(), bytes(1, 2, 3), new Uint8Array(70_000).fill(9)];
  const message = decode(encode(json, pieces));
  assert.deepEqual(message.json, json);
  assert.deepEqual(message.pieces, pieces);
});

test("a message in the middle of other bytes is read from there", () => {
  const encoded = encode([1], [bytes(7)]);
  const around = new Uint8Array(encoded.length + 5);
  around.set(encoded, 5);
  assert.deepEqual(decode(around.subarray(5)), { json: [1], pieces: [bytes(7)] });
});

test("the bytes are those of the specification", () => {
  assert.deepEqual(encode({}, [bytes(5)]), bytes(2, 0, 0, 0, 0x7b, 0x7d, 1, 0, 0, 0, 5));
});

test("a message that is cut off is refused wherever the cut is, unless a piece ends there", () => {
  const encoded = encode({ a: 1 }, [bytes(1, 2, 3), bytes(4)]);
  const wholes = [encode({ a: 1 }).length, encode({ a: 1 }, [bytes(1, 2, 3)]).length, encoded.length];
  for (let length = 0; length < encoded.length; length += 1) {
    const cut = encoded.slice(0, length);
    if (wholes.includes(length)) assert.deepEqual(decode(cut).json, { a: 1 });
    else assert.throws(() => decode(cut), MalformedMessage, `cut after ${length}`);
  }
});

test("absurd lengths are refused", () => {
  assert.throws(() => decode(bytes(0xff, 0xff, 0xff, 0xff)), MalformedMessage);
  assert.throws(() => decode(bytes(0xff, 0xff, 0xff, 0x7f, 0x7b, 0x7d)), MalformedMessage);
  assert.throws(() => decode(bytes(2, 0, 0, 0, 0x7b, 0x7d, 0, 0, 0, 0x80, 1)), MalformedMessage);
});

test("what is not JSON in UTF-8 is refused", () => {
  assert.throws(() => decode(bytes(0, 0, 0, 0)), MalformedMessage);
  assert.throws(() => decode(bytes(1, 0, 0, 0, 0x7b)), MalformedMessage);
  assert.throws(() => decode(bytes(3, 0, 0, 0, 0x22, 0xff, 0x22)), MalformedMessage);
});
