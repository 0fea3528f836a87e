/** The page at `/app/`: opens a node in this browser and shows one screen at a time. */

import { Core } from "./core.js";
import { Doorway } from "./doorway.js";
import { element, link } from "./dom.js";
import { reasonOf, Stopped } from "./errors.js";
import { Kith } from "./kith.js";
import { addresses, type Context } from "./screen.js";
import { documentScreen } from "./screens/document.js";
import { home } from "./screens/home.js";
import { invitation } from "./screens/invitation.js";
import { space } from "./screens/space.js";
import { closed, hasWriting, otherTab, stopped, welcome } from "./screens/welcome.js";
import { statusLine } from "./status-line.js";
import { IndexedDbStore } from "./store.js";

const main = byId("main");
const footer = byId("status");

if (!isSecureContext) {
  closed(
    main,
    "This address is not safe enough",
    "Kith keeps your keys in this browser. Browsers allow that only over https, or on the machine itself (localhost).",
  );
} else {
  void navigator.serviceWorker?.register("service-worker.js", { scope: "./" }).catch(() => undefined);
  // A page that the browser kept aside has no open node any more.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  void whenAlone(run);
}

/** Two cores on one store would undo each other's work. */
async function whenAlone(work: () => Promise<never>): Promise<void> {
  const first = await navigator.locks.request("kith", { ifAvailable: true }, (lock) => (lock === null ? null : work()));
  if (first !== null) return;
  let free: () => void = () => undefined;
  const isFree = new Promise<void>((resolve) => (free = resolve));
  const asked = otherTab(main, isFree);
  await navigator.locks.request("kith", async () => {
    free();
    await asked;
    await work();
  });
}

async function run(): Promise<never> {
  for (;;) {
    const reason = await openOnce().catch((error: unknown) => error);
    footer.replaceChildren();
    if (reason instanceof Stopped && reason.reason === "document" && !hasWriting(main)) continue;
    await stopped(main, reason);
  }
}

/** Returns why it stopped. */
async function openOnce(): Promise<Stopped> {
  const store = await IndexedDbStore.open();
  try {
    const kith = await Kith.open({
      core: await Core.load(new URL("kith.wasm", location.href)),
      store,
      doorway: new Doorway(location.origin),
      host: location.host,
      introduce: () => welcome(main),
    });
    const close = () => void kith.close();
    addEventListener("pagehide", close);
    const ended = new Promise<Stopped>((resolve) => kith.on("stopped", resolve));
    const stopShowing = showScreens(kith);
    const reason = await ended;
    stopShowing();
    removeEventListener("pagehide", close);
    return reason;
  } finally {
    store.close();
  }
}

function showScreens(kith: Kith): () => void {
  const { say } = statusLine(footer, kith);
  let leaving = new AbortController();
  let isUnsaved: () => boolean = () => false;
  let shown = location.hash;

  const show = () => {
    if (location.hash === shown && main.dataset["shown"] === shown) return;
    if (isUnsaved() && !confirm("Leave without saving what you wrote?")) {
      history.replaceState(null, "", shown);
      return;
    }
    shown = location.hash;
    main.dataset["shown"] = shown;
    isUnsaved = () => false;
    leaving.abort();
    leaving = new AbortController();
    // What is left of the last screen goes on writing into its own place, which is gone.
    const place = element("div", { tabindex: "-1" });
    main.replaceChildren(place);
    document.title = "Kith";
    const guard = (ask: () => boolean) => (isUnsaved = ask);
    const context: Context = { kith, main: place, signal: leaving.signal, say, guard };
    main.focus();
    void showOne(context, shown).catch((error: unknown) => {
      if (!(error instanceof Stopped)) {
        closed(place, "This cannot be shown", reasonOf(error));
        place.append(link("Back", addresses.home));
      }
    });
  };
  const warn = (event: BeforeUnloadEvent) => {
    if (isUnsaved()) event.preventDefault();
  };
  delete main.dataset["shown"];
  addEventListener("hashchange", show);
  addEventListener("beforeunload", warn);
  show();
  return () => {
    leaving.abort();
    removeEventListener("hashchange", show);
    removeEventListener("beforeunload", warn);
  };
}

async function showOne(context: Context, hash: string): Promise<void> {
  const [first, second, third] = hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (first === "invitation") return invitation(context);
  if (first === "space" && second !== undefined) {
    return third === undefined ? space(context, second) : documentScreen(context, second, third);
  }
  return home(context);
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}
