/** What the screens of the page have in common. */

import type { Kith } from "./kith.js";

/** What a screen is given. */
export interface Context {
  readonly kith: Kith;
  /** Where the screen goes. */
  readonly main: HTMLElement;
  /** Aborted when another screen is shown. */
  readonly signal: AbortSignal;
  /** Tells in the status line what was done. */
  readonly say: (text: string) => void;
  /** Says whether something typed would be lost by leaving. */
  readonly guard: (isUnsaved: () => boolean) => void;
}

/** Where the screens are. */
export const addresses = {
  home: "#/",
  invitation: "#/invitation",
  space: (space: string) => `#/space/${encodeURIComponent(space)}`,
  document: (space: string, doc: string) => `#/space/${encodeURIComponent(space)}/${encodeURIComponent(doc)}`,
} as const;

/** How often what the core does not announce, such as how far a space is, is looked at. */
const LOOK_MS = 5_000;

/** Runs `refresh` now, whenever something changed, and now and then; one at a time. */
export async function follow({ kith, signal }: Context, refresh: () => Promise<void>): Promise<void> {
  let isRunning = false;
  let isDue = false;
  const run = async () => {
    isDue = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isDue && !signal.aborted) {
        isDue = false;
        await refresh();
      }
    } finally {
      isRunning = false;
    }
  };
  // What goes wrong later leaves what is shown; a core that stopped has its own screen.
  const runAgain = () => void run().catch(() => undefined);
  const ends = [kith.on("changed", runAgain), kith.on("connection", runAgain)];
  const timer = setInterval(() => {
    if (document.visibilityState === "visible") runAgain();
  }, LOOK_MS);
  signal.addEventListener("abort", () => {
    for (const end of ends) end();
    clearInterval(timer);
  });
  await run();
}
