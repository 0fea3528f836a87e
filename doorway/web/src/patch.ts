/** From two states of a document to the steps between them. */

import type { Json, Operation } from "./protocol.js";

/** An object of JSON. */
export type JsonObject = { readonly [key: string]: Json };

/**
 * What leads from one value to the other, for whole top-level keys: keys that a person left
 * alone stay as others have made them meanwhile.
 */
export function operationsBetween(before: JsonObject, after: JsonObject): Operation[] {
  const operations: Operation[] = [];
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) operations.push({ op: "remove", path: pointer(key) });
  }
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key)) operations.push({ op: "add", path: pointer(key), value });
    else if (!isSame(before[key], value)) operations.push({ op: "replace", path: pointer(key), value });
  }
  return operations;
}

/** Whether a value is an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function pointer(key: string): string {
  return `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function isSame(left: unknown, right: unknown): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((each, index) => isSame(each, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return left === right;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isSame(left[key], right[key]))
  );
}
