import assert from "node:assert/strict";
import { test } from "node:test";

import { operationsBetween } from "../src/patch.js";

test("only top-level keys that differ are touched", () => {
  const before = { same: { a: [1, { b: null }] }, changed: [1], gone: 1, "a/b~c": "x" };
  const after = { same: { a: [1, { b: null }] }, changed: [1, 2], "a/b~c": "y", new: { deep: true } };
  assert.deepEqual(operationsBetween(before, after), [
    { op: "remove", path: "/gone" },
    { op: "replace", path: "/changed", value: [1, 2] },
    { op: "replace", path: "/a~1b~0c", value: "y" },
    { op: "add", path: "/new", value: { deep: true } },
  ]);
});

test("the same object in another order is no change", () => {
  assert.deepEqual(operationsBetween({ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }), []);
  assert.deepEqual(operationsBetween({ a: {} }, { a: [] }), [{ op: "replace", path: "/a", value: [] }]);
});
