/** Builds the page, from elements and text only: whatever people wrote stays text. */

type Child = Node | string | null;

/** Attributes; `true` sets one without a value, and null or false leaves one out. */
type Attributes = Readonly<Record<string, string | boolean | null>>;

/** An element with attributes and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A button that does something. */
export function button(label: string, action: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", action);
  return made;
}

/** A link to a part of this page. */
export function link(label: string, href: string, attributes: Attributes = {}): HTMLAnchorElement {
  return element("a", { href, ...attributes }, label);
}

/** A label with what it is for. */
export function field(label: string, control: HTMLInputElement | HTMLTextAreaElement): HTMLLabelElement {
  return element("label", {}, label, control);
}

/** A form that never leaves the page. While `action` runs it cannot be sent again. */
export function form(action: () => Promise<void>, ...children: readonly Child[]): HTMLFormElement {
  const problem = element("p", { role: "alert", class: "note", hidden: true });
  const made = element("form", {}, ...children, problem);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    problem.hidden = true;
    const buttons = [...made.querySelectorAll("button")];
    for (const each of buttons) each.disabled = true;
    action()
      .catch((error: unknown) => {
        problem.textContent = error instanceof Error ? error.message : String(error);
        problem.hidden = false;
      })
      .finally(() => {
        for (const each of buttons) each.disabled = false;
      });
  });
  return made;
}

/** Puts new children in, and the focus back on the link or button where it was. */
export function replaceChildren(parent: HTMLElement, ...children: readonly Child[]): void {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const name = focused === null ? null : nameOf(focused);
  parent.replaceChildren(...children.filter((child) => child !== null));
  if (name === null) return;
  const again = [...parent.querySelectorAll<HTMLElement>("a, button, summary")].find((each) => nameOf(each) === name);
  again?.focus({ preventScroll: true });
}

function nameOf(named: Element): string {
  return `${named.tagName} ${named.getAttribute("href") ?? named.textContent}`;
}
