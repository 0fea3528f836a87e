/** A space: its documents, and a new note. */

import { element, field, form, link, replaceChildren } from "../dom.js";
import type { DocumentInfo, SpaceStatus } from "../protocol.js";
import { addresses, type Context, follow } from "../screen.js";
import { documentName, kindName, mayWrite, roleIn, spaceName, spaceState } from "../words.js";

/** Shows it. */
export async function space(context: Context, id: string): Promise<void> {
  const { kith, main } = context;
  const about = element("div");
  const list = element("div");
  const writing = element("div");
  main.append(element("p", { class: "eyebrow" }, link("Spaces", addresses.home)), about, writing, list);

  let shown = "";
  await follow(context, async () => {
    const status = (await kith.status()).spaces.find((each) => each.space === id);
    const documents = status === undefined ? [] : await kith.docs(id);
    const text = JSON.stringify([status, documents]);
    if (text === shown) return;
    shown = text;
    if (status === undefined) {
      replaceChildren(about, element("h1", {}, "This space is not here"));
      return;
    }
    document.title = `${spaceName(status.name)} · Kith`;
    replaceChildren(about, ...heading(status));
    replaceChildren(list, documentList(id, documents));
    // Put there once: somebody may be writing in it.
    if (mayWrite(status.role) && writing.childElementCount === 0) writing.append(newNote(context, id));
    writing.hidden = !mayWrite(status.role);
  });
}

function heading(status: SpaceStatus): HTMLElement[] {
  return [
    element("h1", {}, spaceName(status.name)),
    element("p", {}, element("span", { class: "state" }, spaceState(status.state)), ". ", element("span", { class: "quiet" }, roleIn(status.role))),
  ];
}

function documentList(space: string, documents: readonly DocumentInfo[]): HTMLElement {
  if (documents.length === 0) return element("p", { class: "quiet" }, "No documents yet.");
  const sorted = [...documents].sort((left, right) => documentName(left).localeCompare(documentName(right)));
  const line = (info: DocumentInfo) => {
    const name = link(documentName(info), addresses.document(space, info.doc));
    return element("li", { class: "line" }, name, element("span", { class: "quiet" }, kindName(info.type)));
  };
  return element("ul", { class: "list" }, ...sorted.map(line));
}

function newNote({ kith, say, guard }: Context, space: string): HTMLElement {
  const title = element("input", { type: "text", required: true, autocomplete: "off" });
  const content = element("textarea", { rows: "8" });
  const create = async () => {
    const written = await kith.create(space, { content: content.value }, { type: "note", title: title.value.trim() });
    say("Saved in this browser.");
    title.value = content.value = "";
    location.hash = addresses.document(space, written.doc);
  };
  guard(() => title.value !== "" || content.value !== "");
  return element(
    "details", { class: "keep" },
    element("summary", {}, "New note"),
    form(create, field("Title", title), field("Text", content), element("button", { type: "submit" }, "Save")),
  );
}
