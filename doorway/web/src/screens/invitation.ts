/** From an invitation to six digits that two people compare. */

import { button, element, field, form, link } from "../dom.js";
import { AskFailed, reasonOf } from "../errors.js";
import type { Pairing } from "../protocol.js";
import { addresses, type Context } from "../screen.js";
import { personName } from "../words.js";

/** Shows it. */
export function invitation(context: Context): void {
  const { main, kith, signal } = context;
  const pasted = element("textarea", {
    rows: "5", required: true, autocomplete: "off", autocapitalize: "off", spellcheck: "false", class: "code",
  });
  const wait = element("p", { role: "status" });
  const follow = async () => {
    const ticket = findTicket(pasted.value);
    if (ticket === null) throw new Error("This is not an invitation: one starts with kith1.");
    wait.textContent = "Looking for the other device… This takes up to a minute.";
    try {
      const pairing = await kith.pair(ticket);
      if (!signal.aborted) compare(context, pairing);
    } catch (error) {
      throw error instanceof AskFailed ? new Error(`${error.message}. ${error.fix}`) : error;
    } finally {
      wait.textContent = "";
    }
  };
  main.append(
    element("h1", {}, "Follow an invitation"),
    element("p", {}, "An invitation is a long text that starts with ", element("code", {}, "kith1"), ". Somebody you know makes it, in their Kith or with the command ", element("code", {}, "kith ticket"), ", and sends it to you. It is good once, for a short time."),
    form(follow, field("Paste the invitation", pasted), element("button", { type: "submit" }, "Go on"), wait),
    element("p", {}, link("Back", addresses.home)),
  );
  pasted.focus();
}

/** The ticket in a text, such as a message around it. Mail programs break long lines. */
export function findTicket(text: string): string | null {
  const joined = text.replaceAll(/\s+/g, "");
  const whole = /^kith1[a-z2-7]+$/i.exec(joined);
  const inside = /kith1[a-z2-7]+/i.exec(text);
  return (whole ?? inside)?.[0] ?? null;
}

function compare(context: Context, { device, code }: Pairing): void {
  const { main, kith, say } = context;
  const problem = element("p", { role: "alert", class: "note", hidden: true });
  const answer = (isSame: boolean) => {
    for (const each of [yes, no]) each.disabled = true;
    kith.confirm(device, isSame).then(
      ({ name }) => {
        if (!isSame) return refused(main);
        say(`You and ${personName(name)} are connected.`);
        location.hash = addresses.home;
      },
      (error: unknown) => {
        if (!isSame) return refused(main);
        problem.textContent = reasonOf(error);
        problem.hidden = false;
        for (const each of [yes, no]) each.disabled = false;
      },
    );
  };
  const yes = button("Yes, the same", () => answer(true));
  const no = button("No, another", () => answer(false), { class: "quiet" });
  main.replaceChildren(
    element("h1", { id: "question", tabindex: "-1" }, "Same on the other screen?"),
    element("p", { class: "digits", "aria-label": [...code].join(" ") }, `${code.slice(0, 3)} ${code.slice(3)}`),
    element("p", {}, "Ask the other person for the code on their screen. Only if both are the same are you connected with the right one."),
    element("div", { class: "row", role: "group", "aria-labelledby": "question" }, yes, no),
    problem,
  );
  main.querySelector<HTMLElement>("#question")?.focus();
}

function refused(main: HTMLElement): void {
  main.replaceChildren(
    element("h1", {}, "Good that you looked"),
    element("p", {}, "You are not connected, and nothing was shared. Ask for a new invitation, in a way in which nobody else can change it."),
    element("p", {}, link("Back", addresses.home)),
  );
  main.focus();
}
