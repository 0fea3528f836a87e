/**
 * The app in a real browser, used by what it says: a first visit, an invitation, notes both ways,
 * a reload without any network, a browser that is killed, and a second tab. `KITH_PICTURES` is a folder for pictures.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Chromium } from "./chromium.mjs";
import { Rack } from "./rack.mjs";

const DESK = { width: 1100, height: 800 };
const PHONE = { width: 360, height: 740 };

/** What stands there as the text of a document. */
const text = (expected) =>
  `document.querySelector(".text.prose")?.innerText === ${JSON.stringify(expected)}`;

let rack;
let chromium;
let page;

async function picture(name) {
  const folder = process.env.KITH_PICTURES;
  if (!folder) return;
  for (const [kind, { width, height }] of Object.entries({ desk: DESK, phone: PHONE })) {
    await page.resize(width, height);
    await page.picture(join(folder, `${name}-${kind}.png`));
  }
  await page.resize(DESK.width, DESK.height);
}

/** What the rack has of the note. */
async function note() {
  const { docs } = await rack.ask("doc", "list", "Family");
  const found = docs.find((line) => line.title === "Shopping");
  return found && (await rack.ask("doc", "get", "Family", found.doc));
}

/** Asks the rack until it has what it should: a command line has no events. */
async function until(what, look) {
  const late = performance.now() + 30_000;
  while (performance.now() < late) {
    const seen = await look();
    if (seen) return seen;
  }
  throw new Error(`waited too long until ${what}`);
}

before(async () => {
  rack = await Rack.start();
  await rack.ask("space", "new", "Family");
  await rack.write("Family", { title: "From Ada", content: "Welcome, Bo." });
  chromium = await Chromium.start();
  page = await chromium.page(DESK);
});

after(async () => {
  await chromium?.close();
  await rack?.close();
});

test("a person who comes for the first time says who they are", async () => {
  await page.open(`${rack.url}/app/`);
  await page.says("Welcome to Kith");
  await picture("welcome");
  await page.type("What is your name?", "Bo");
  await page.press("Begin");
  await page.says("Hello, Bo");
});

test("an invitation leads to what others share", async () => {
  const { ticket } = await rack.ask("ticket", "--space", "Family", "--role", "writer", "--no-wait");
  await page.press("Paste an invitation");
  await page.type("Paste the invitation", ticket);
  await picture("invitation");
  await page.press("Go on");
  await page.says("Same on the other screen?");
  await picture("code");
  await page.press("Yes, the same");
  await page.says("Family");
  await picture("home");
  await page.press("Family");
  await page.press("From Ada");
  await page.until(text("Welcome, Bo."));
  await picture("document");
});

test("a note goes out, and what others make of it comes in", async () => {
  await page.press("Family");
  await page.press("New note");
  await page.type("Title", "Shopping");
  await page.type("Text", "Milk");
  await page.press("Save");
  await page.says("Shopping");
  const { doc, value } = await until("the note is there", note);
  assert.equal(value.content, "Milk");
  await rack.ask("doc", "set", "Family", doc, "content", '"Milk and bread"');
  await page.until(text("Milk and bread"));
});

test("without any network the page opens again, and what is written goes out later", async () => {
  await page.evaluate("navigator.serviceWorker.ready.then(() => true)");
  await rack.end("SIGKILL");
  await page.evaluate("location.reload()");
  await page.until(text("Milk and bread"));
  await page.press("Edit text");
  await page.type("Text", "Milk, bread and tea");
  await picture("offline");
  await page.press("Save");
  await page.says("Saved in this browser.");
  await rack.begin();
  await until("it is there", async () => (await note())?.value.content === "Milk, bread and tea");
});

test("what the page said was saved is there after the browser was killed", async () => {
  await page.press("Edit text");
  await page.type("Text", "Milk, bread, tea and salt");
  await page.press("Save");
  await page.says("Saved in this browser.");
  await page.until(text("Milk, bread, tea and salt"));
  const address = await page.evaluate("location.href");
  await rack.end("SIGKILL");
  chromium = await chromium.killed();
  page = await chromium.page(DESK);
  await page.open(address);
  await page.until(text("Milk, bread, tea and salt"));
  await rack.begin();
  const expected = "Milk, bread, tea and salt";
  await until("it is there", async () => (await note())?.value.content === expected);
});

test("a second tab waits for the first one", async () => {
  const second = await chromium.page(DESK);
  await second.open(`${rack.url}/app/`);
  await second.says("Kith is open in another tab");
  await page.close();
  await second.press("Go on here");
  await second.says("Hello, Bo");
  await second.close();
});
