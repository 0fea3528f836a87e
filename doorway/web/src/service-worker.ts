/**
 * Keeps the app's own files, so that the page opens without a network.
 *
 * Invariants: it answers only for the files listed here, and never for the doorway's API;
 * what is kept is of one version, because only installing writes it.
 */
{
  /** The build puts a hash of all files here, so that a change of one makes a new version. */
  const VERSION = "unbuilt";
  const CACHE = `kith-app-${VERSION}`;

  const FILES = [
    "./",
    "app.js",
    "core.js",
    "dom.js",
    "doorway.js",
    "editor.js",
    "errors.js",
    "icon.svg",
    "kith.js",
    "kith.wasm",
    "message.js",
    "patch.js",
    "runner.js",
    "screen.js",
    "screens/document.js",
    "screens/home.js",
    "screens/invitation.js",
    "screens/space.js",
    "screens/welcome.js",
    "sleep.js",
    "status-line.js",
    "store.js",
    "style.css",
    "visit.js",
    "visits.js",
    "words.js",
  ] as const;

  /** A network that has not begun to answer by then is as good as none. */
  const NETWORK_MS_MAX = 4_000;

  // The types of pages and those of service workers exclude each other; this is what is used.
  interface Worker {
    readonly registration: { readonly scope: string };
    skipWaiting(): Promise<void>;
    readonly clients: { claim(): Promise<void> };
    addEventListener(name: "install" | "activate", listener: (event: Extendable) => void): void;
    addEventListener(name: "fetch", listener: (event: Fetching) => void): void;
  }
  interface Extendable extends Event {
    waitUntil(work: Promise<unknown>): void;
  }
  interface Fetching extends Extendable {
    readonly request: Request;
    respondWith(answer: Promise<Response>): void;
  }

  const worker = globalThis as unknown as Worker;
  const addresses = new Set(FILES.map((file) => new URL(file, worker.registration.scope).href));

  worker.addEventListener("install", (event) => event.waitUntil(install()));
  worker.addEventListener("activate", (event) => event.waitUntil(activate()));
  worker.addEventListener("fetch", (event) => {
    const { method, url } = event.request;
    const address = new URL(url);
    address.search = address.hash = "";
    if (method === "GET" && addresses.has(address.href)) event.respondWith(answer(event.request, address.href));
  });

  async function install(): Promise<void> {
    const cache = await caches.open(CACHE);
    await cache.addAll([...addresses].map((address) => new Request(address, { cache: "reload" })));
    await worker.skipWaiting();
  }

  async function activate(): Promise<void> {
    for (const name of await caches.keys()) {
      if (name.startsWith("kith-app-") && name !== CACHE) await caches.delete(name);
    }
    await worker.clients.claim();
  }

  async function answer(request: Request, address: string): Promise<Response> {
    const fresh = fetchGood(request);
    try {
      return await Promise.race([fresh, late()]);
    } catch {
      const cache = await caches.open(CACHE);
      return (await cache.match(address)) ?? fresh;
    }
  }

  async function fetchGood(request: Request): Promise<Response> {
    const response = await fetch(request);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response;
  }

  function late(): Promise<never> {
    return new Promise((_, reject) => setTimeout(() => reject(new Error("the network is slow")), NETWORK_MS_MAX));
  }
}
