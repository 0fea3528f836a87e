/** A real node with a doorway, asked by its command line. `KITH_BIN` is the program. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const program = process.env.KITH_BIN ?? "kith";
const environment = { ...process.env, KITH_PASSPHRASE: "of the test" };
const web = new URL("../../doorway/web/dist/", import.meta.url).pathname;
const run = promisify(execFile);

export class Rack {
  #home;
  #child;
  /** Where its doorway is. */
  url;

  static async start() {
    const rack = new Rack();
    rack.#home = await mkdtemp(join(tmpdir(), "kith-web-"));
    await rack.begin("127.0.0.1:0");
    return rack;
  }

  get host() {
    return new URL(this.url).host;
  }

  /** Starts it, at the same place as before unless told otherwise. */
  async begin(doorway = this.host) {
    const options = ["--data-dir", this.#home, "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"];
    const words = ["up", "--name", "Ada", "--json", "--doorway", doorway, "--web", web, ...options];
    const stdio = ["ignore", "pipe", "inherit"];
    this.#child = spawn(program, words, { env: environment, stdio });
    const [line] = await once(createInterface(this.#child.stdout), "line");
    this.url = JSON.parse(line).doorway;
  }

  /** Ends it by a signal. */
  async end(signal) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill(signal);
    await gone;
  }

  async close() {
    await this.end("SIGTERM");
    await rm(this.#home, { recursive: true });
  }

  /** What a command answers. */
  async ask(...words) {
    const options = ["--json", "--data-dir", this.#home];
    const { stdout } = await run(program, [...words, ...options], { env: environment });
    return JSON.parse(stdout);
  }

  /** Makes a document. */
  async write(space, value) {
    const path = join(this.#home, "new.json");
    await writeFile(path, JSON.stringify(value));
    return this.ask("doc", "new", space, "--type", "note", "--from", path);
  }
}
