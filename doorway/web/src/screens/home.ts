/** The first screen: spaces, people, and ways to more of both. */

import { element, field, form, link, replaceChildren } from "../dom.js";
import type { PeerStatus, SpaceStatus, Status } from "../protocol.js";
import { addresses, type Context, follow } from "../screen.js";
import { count, mayWrite, peerState, personName, roleIn, spaceName, spaceState } from "../words.js";

/** Shows it. */
export async function home(context: Context): Promise<void> {
  const { kith, main } = context;
  const { name } = await kith.identity();
  const overview = element("div");
  main.append(element("h1", {}, `Hello, ${name}`), overview, newSpace(context));

  let shown = "";
  await follow(context, async () => {
    const status = await kith.status();
    const text = JSON.stringify(status);
    if (text === shown) return;
    shown = text;
    replaceChildren(overview, spaces(status), people(status));
  });
}

function spaces({ spaces, peers }: Status): HTMLElement {
  if (spaces.length === 0 && peers.length === 0) {
    return element(
      "section", {},
      element("p", { class: "lead" }, "Nothing is here yet. Follow an invitation of somebody you know, or make a space of your own."),
      element("p", {}, link("Paste an invitation", addresses.invitation, { class: "button" })),
    );
  }
  const list = element("ul", { class: "cards" }, ...spaces.map(spaceCard));
  const nothing = element("p", { class: "quiet" }, "None yet. Those of others come by themselves as soon as they let you in.");
  return element("section", {}, element("h2", {}, "Spaces"), spaces.length === 0 ? nothing : list);
}

function spaceCard(space: SpaceStatus): HTMLElement {
  const role = mayWrite(space.role) ? null : element("p", { class: "quiet" }, roleIn(space.role));
  return element(
    "li", { class: "card" },
    element("h3", {}, link(spaceName(space.name), addresses.space(space.space))),
    element("p", {}, count(space.documents, "document", "documents")),
    element("p", { class: "state" }, spaceState(space.state)),
    role,
  );
}

function people({ spaces, peers }: Status): HTMLElement | null {
  if (spaces.length === 0 && peers.length === 0) return null;
  const list = element("ul", { class: "list" }, ...peers.map(peerLine));
  return element(
    "section", {},
    element("h2", {}, "People"),
    peers.length === 0 ? element("p", { class: "quiet" }, "Nobody yet: what you write stays in this browser.") : list,
    element("p", {}, link("Paste an invitation", addresses.invitation, { class: "button quiet" })),
  );
}

function peerLine(peer: PeerStatus): HTMLElement {
  return element(
    "li", { class: "line" },
    element("span", {}, personName(peer.name)),
    element("span", { class: "quiet" }, peer.connected ? `connected, ${peerState(peer.state)}` : peerState(peer.state)),
  );
}

function newSpace({ kith, say }: Context): HTMLElement {
  const name = element("input", { type: "text", required: true, autocomplete: "off" });
  const found = async () => {
    const made = await kith.found(name.value.trim());
    say("Saved in this browser.");
    location.hash = addresses.space(made.space);
  };
  return element(
    "details", { class: "keep" },
    element("summary", {}, "New space"),
    form(found, field("What is it called?", name), element("button", { type: "submit" }, "Make the space")),
  );
}
