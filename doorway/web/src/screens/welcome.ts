/** Before a node is open: who is this, and what stands in the way. */

import { button, element, field, form } from "../dom.js";
import { reasonOf, Stopped } from "../errors.js";
import type { Introduction } from "../kith.js";
import { deviceName } from "../words.js";

const NAME_LENGTH_MAX = 64;

/** Asks a person who comes for the first time for a name. */
export function welcome(main: HTMLElement): Promise<Introduction> {
  return new Promise((resolve) => {
    const name = element("input", {
      type: "text", autocomplete: "name", required: true, maxlength: String(NAME_LENGTH_MAX),
    });
    const begin = async () => {
      const agentName = name.value.trim();
      if (agentName === "") throw new Error("Please write a name.");
      main.replaceChildren(element("p", { class: "lead" }, "One moment…"));
      resolve({ agentName, deviceName: deviceName(navigator.userAgent) });
    };
    main.replaceChildren(
      element("h1", {}, "Welcome to Kith"),
      element("p", { class: "lead" }, "Your notes live here, in this browser, and on the devices of people you chose. Everything works without the internet, too."),
      form(begin, field("What is your name?", name), element("button", { type: "submit" }, "Begin")),
      element("p", { class: "quiet" }, "The people you connect with see this name. There is no account and no password."),
    );
    name.focus();
  });
}

/** Tells why nothing can be opened here. */
export function closed(main: HTMLElement, heading: string, ...texts: readonly string[]): void {
  main.replaceChildren(element("h1", {}, heading), ...texts.map((text) => element("p", {}, text)));
}

/** Tells that another tab has it, and then that this one may. Resolves when it should. */
export function otherTab(main: HTMLElement, isFree: Promise<void>): Promise<void> {
  closed(
    main,
    "Kith is open in another tab",
    "Only one tab at a time can write here. Go on there, or close that tab to go on here.",
  );
  return isFree.then(() => new Promise((resolve) => {
    const open = button("Go on here", () => resolve());
    closed(main, "The other tab is closed");
    main.append(open);
    open.focus();
  }));
}

/** Whether somebody was writing something. */
export function hasWriting(main: HTMLElement): boolean {
  return writtenIn(main).length > 0;
}

function writtenIn(main: HTMLElement): string[] {
  return [...main.querySelectorAll("textarea")].map((each) => each.value).filter((text) => text !== "");
}

/** Tells why it stopped. Resolves when it should be opened again. */
export function stopped(main: HTMLElement, error: unknown): Promise<void> {
  const written = writtenIn(main);
  return new Promise((resolve) => {
    closed(main, "Kith has stopped", explain(error));
    for (const text of written) {
      const copy = element("textarea", { rows: "8", readonly: true });
      copy.value = text;
      main.append(field("What you were writing, to copy it", copy));
    }
    main.append(
      element("p", {}, "Everything that was shown as saved is still here."),
      button("Open again", () => resolve()),
      element("p", { class: "quiet" }, reasonOf(error)),
    );
    main.focus();
  });
}

function explain(error: unknown): string {
  switch (error instanceof Stopped ? error.reason : "unopened") {
    case "storage":
      return "This browser could not save something. Its space may be full: make some room, then open it again. What you wrote last may be missing.";
    case "document":
      return "A document could not be read in this browser. It is left alone from now on; everything else is as it was.";
    case "core":
      return "Something in this page broke. What you wrote last may be missing.";
    case "unopened":
      return "What is stored in this browser could not be opened.";
    case "closed":
      return "It was closed.";
  }
}
