/** A Chromium without a window, spoken to over two pipes (DevTools protocol). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long a page may take to show something. */
const PATIENCE_MS = 30_000;

const OPTIONS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe",
];

/** A browser with a profile of its own, which `close` deletes. */
export class Chromium {
  #child;
  #profile;
  #lastId = 0;
  #waiting = new Map();
  #rest = "";

  static async start(profile = undefined) {
    const chromium = new Chromium();
    chromium.#profile = profile ?? (await mkdtemp(join(tmpdir(), "kith-chromium-")));
    const program = process.env.CHROMIUM ?? "chromium";
    chromium.#child = spawn(program, [...OPTIONS, `--user-data-dir=${chromium.#profile}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    chromium.#child.stdio[4].setEncoding("utf8").on("data", (text) => chromium.#read(text));
    return chromium;
  }

  /** Ends it without a warning, and starts another one with what it left on the disk. */
  async killed() {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
    for (const lock of ["SingletonLock", "SingletonCookie", "SingletonSocket"]) {
      await rm(join(this.#profile, lock), { force: true });
    }
    return Chromium.start(this.#profile);
  }

  async close() {
    const gone = once(this.#child, "exit");
    await this.send("Browser.close").catch(() => undefined);
    await gone;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Asks the browser, or one of its pages. */
  send(method, params = {}, sessionId = undefined) {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** A new page of this size. */
  async page({ width, height }) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    await page.resize(width, height);
    return page;
  }

  #read(text) {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop();
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result);
    }
  }
}

/** A page, used as a person does: by what it says. */
class Page {
  #browser;
  #session;
  #target;

  constructor(browser, session, target) {
    this.#browser = browser;
    this.#session = session;
    this.#target = target;
  }

  #send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  resize(width, height) {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: width < 600 };
    return this.#send("Emulation.setDeviceMetricsOverride", metrics);
  }

  open(url) {
    return this.#send("Page.navigate", { url });
  }

  async close() {
    await this.#browser.send("Target.closeTarget", { targetId: this.#target });
  }

  /** The value of an expression, which may be a promise. */
  async evaluate(expression) {
    const options = { awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", { expression, ...options });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true, looking at each change of the page. */
  async until(expression) {
    const patience = `new Promise((resolve, reject) => {
      const look = () => { try { return ${expression}; } catch { return undefined; } };
      const late = setTimeout(() => reject(new Error("it never happened; the page says: " + document.body.innerText)), ${PATIENCE_MS});
      const done = (seen) => { clearTimeout(late); watching.disconnect(); resolve(seen); };
      const watching = new MutationObserver(() => { const seen = look(); if (seen) done(seen); });
      watching.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
      const seen = look();
      if (seen) done(seen);
    })`;
    try {
      return await this.evaluate(patience);
    } catch (error) {
      // A page that is left meanwhile takes its promises with it.
      if (!/navigat|destroyed|collected/i.test(error.message)) throw error;
      return this.until(expression);
    }
  }

  /** Waits until the page says that. */
  says(text) {
    return this.until(`document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  /** Presses the button or follows the link that is called so. */
  async press(name) {
    const found = `[...document.querySelectorAll("button, a, summary")].find((it) => it.innerText.trim() === ${JSON.stringify(name)} && !it.disabled)`;
    await this.until(`${found} !== undefined`);
    await this.evaluate(`${found}.click()`);
  }

  /** Types into the field that is called so. */
  async type(label, text) {
    const field = `[...document.querySelectorAll("label")].find((it) => it.innerText.trim().startsWith(${JSON.stringify(label)}))?.control`;
    await this.until(`!!${field}`);
    await this.evaluate(`{
      const field = ${field};
      field.focus();
      field.value = ${JSON.stringify(text)};
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }`);
  }

  /** A picture of all of it, as a PNG file. */
  async picture(path) {
    const { data } = await this.#send("Page.captureScreenshot", { captureBeyondViewport: true });
    await writeFile(path, Buffer.from(data, "base64"));
  }
}
