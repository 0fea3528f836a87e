/** The line that says how things stand: what was saved, and who is reached. */

import { button, element } from "./dom.js";
import type { Kith } from "./kith.js";

/** How long what was done stays to be read. */
const SAY_MS = 10_000;

/** Shows it; `say` adds what was done last. */
export function statusLine(parent: HTMLElement, kith: Kith): { say: (text: string) => void } {
  const done = element("p", { role: "status" });
  const reach = element("p", { class: "quiet", role: "status" });
  const again = button("Try now", () => kith.hurry(), { class: "quiet", hidden: true });
  parent.replaceChildren(done, element("div", { class: "row" }, reach, again));

  // Attempts come and go every few seconds; nobody wants to hear about each.
  let hasFailed = false;
  const show = async () => {
    const { connection } = kith;
    if (connection !== "connecting") hasFailed = connection === "offline";
    const { peers } = await kith.status();
    const text = words(peers.length > 0, connection === "connecting" && hasFailed ? "offline" : connection);
    if (reach.textContent !== text) reach.textContent = text;
    again.hidden = connection === "connected" || peers.length === 0;
  };
  const showQuietly = () => void show().catch(() => undefined);
  kith.on("connection", showQuietly);
  kith.on("changed", showQuietly);
  showQuietly();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (text: string) => {
    clearTimeout(timer);
    done.textContent = text;
    timer = setTimeout(() => done.replaceChildren(), SAY_MS);
  };
  return { say };
}

function words(hasPeers: boolean, connection: Kith["connection"]): string {
  switch (connection) {
    case "connected":
      return "Connected.";
    case "connecting":
      return "Connecting…";
    case "offline":
      return hasPeers
        ? "Not connected. You can go on: what you write is saved in this browser and goes out later."
        : "What you write is saved in this browser.";
  }
}
