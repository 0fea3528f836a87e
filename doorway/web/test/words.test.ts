import assert from "node:assert/strict";
import { test } from "node:test";

import { findTicket } from "../src/screens/invitation.js";
import { count, deviceName, kindName } from "../src/words.js";

test("devices have names that people know", () => {
  const linux = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)";
  assert.equal(deviceName(`${linux} Chrome/148.0.0.0 Safari/537.36`), "Chrome on Linux");
  assert.equal(deviceName(`${linux} Chrome/148.0.0.0 Safari/537.36 Edg/148.0`), "Edge on Linux");
  assert.equal(deviceName("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"), "Firefox on Android");
  assert.equal(deviceName("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"), "Safari on iPhone");
  assert.equal(deviceName(""), "Browser");
});

test("numbers and kinds read well", () => {
  assert.equal(count(1, "document", "documents"), "1 document");
  assert.equal(count(0, "document", "documents"), "0 documents");
  assert.equal(kindName("shopping-list"), "Shopping list");
});

test("an invitation is found in what was pasted", () => {
  assert.equal(findTicket("  kith1abc234\n"), "kith1abc234");
  assert.equal(findTicket("kith1abc\n 234\n"), "kith1abc234", "a long line was broken");
  assert.equal(findTicket("Hello! kith1abc234 See you"), "kith1abc234");
  assert.equal(findTicket("kith pair"), null);
  assert.equal(findTicket(""), null);
});
