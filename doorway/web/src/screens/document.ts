/** A document: its text, its other values, and both to be changed. */

import { button, element, link, replaceChildren } from "../dom.js";
import { Editor } from "../editor.js";
import { AskFailed } from "../errors.js";
import { isObject, operationsBetween } from "../patch.js";
import type { Document } from "../protocol.js";
import { addresses, type Context } from "../screen.js";
import { documentName, mayWrite, spaceName } from "../words.js";

/** Shows it. */
export async function documentScreen(context: Context, space: string, doc: string): Promise<void> {
  const { kith, main, signal, guard } = context;
  const status = (await kith.status()).spaces.find((each) => each.space === space);
  const canWrite = mayWrite(status?.role ?? null);
  const heading = element("div");
  const body = element("div");
  const up = link(spaceName(status?.name ?? ""), addresses.space(space));
  main.append(element("p", { class: "eyebrow" }, link("Spaces", addresses.home), " › ", up), heading, body);

  let editors: Editor[] = [];
  let hasText: boolean | null = null;
  const reload = async () => {
    const found = await read(context, space, doc);
    if (signal.aborted) return;
    if (found === null) {
      // Somebody who is writing keeps what was written, to copy it.
      if (editors.some((editor) => editor.isUnsaved)) return context.say("This document was removed elsewhere.");
      replaceChildren(heading, element("h1", {}, "This document is not here any more"));
      body.replaceChildren();
      return;
    }
    document.title = `${documentName(found)} · Kith`;
    replaceChildren(heading, ...about(found));
    for (const editor of editors) editor.update(found);
    const isText = contentOf(found) !== null;
    if (isText === hasText || editors.some((editor) => editor.isUnsaved)) return;
    hasText = isText;
    editors = build(context, space, found, canWrite, reload, body);
  };
  guard(() => editors.some((editor) => editor.isUnsaved));
  const end = kith.on("changed", (changed) => {
    if (changed.space === space && changed.documents.includes(doc)) void reload().catch(() => undefined);
  });
  signal.addEventListener("abort", end);
  await reload();
}

function build(
  context: Context,
  space: string,
  found: Document,
  mayWrite: boolean,
  reload: () => Promise<void>,
  body: HTMLElement,
): Editor[] {
  const { kith, say } = context;
  const saved = () => say("Saved in this browser.");
  const values = new Editor({
    label: "values",
    look: "code",
    mayWrite,
    textOf: ({ value }) => JSON.stringify(value, null, 2),
    save: async (text, base) => {
      const operations = operationsBetween(isObject(base.value) ? base.value : {}, parseObject(text));
      if (operations.length > 0) await kith.patch(space, found.doc, operations);
      saved();
    },
    reload,
  }, found);
  const remove = mayWrite ? removal(context, space, found.doc) : null;
  if (contentOf(found) === null) {
    body.replaceChildren(values.element, ...(remove === null ? [] : [remove]));
    return [values];
  }
  const text = new Editor({
    label: "text",
    look: "prose",
    mayWrite,
    textOf: (document) => contentOf(document) ?? "",
    save: async (text) => {
      await kith.set(space, found.doc, "/content", text);
      saved();
    },
    reload,
  }, found);
  const all = element("details", { class: "keep" }, element("summary", {}, "All values"), values.element);
  body.replaceChildren(text.element, all, ...(remove === null ? [] : [remove]));
  return [text, values];
}

async function read({ kith }: Context, space: string, doc: string): Promise<Document | null> {
  try {
    return await kith.read(space, doc);
  } catch (error) {
    if (error instanceof AskFailed && error.code === "not-found") return null;
    throw error;
  }
}

function about(found: Document): HTMLElement[] {
  const where = found.durability === "safe" ? "Saved here, and others keep it too." : "Saved in this browser.";
  const missing = "Something of this document cannot be read in this browser, and is not shown. Nothing of it is lost: it is kept, and others get it.";
  return [
    element("h1", {}, documentName(found)),
    element("p", { class: "quiet" }, where),
    ...(found.refused === 0 ? [] : [element("p", {}, missing)]),
  ];
}

function contentOf({ value }: Document): string | null {
  const content = isObject(value) ? value["content"] : undefined;
  return typeof content === "string" ? content : null;
}

function parseObject(text: string) {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not valid JSON: ${error instanceof Error ? error.message : ""}`);
  }
  if (!isObject(parsed)) throw new Error("A document is an object: it starts with { and ends with }.");
  return parsed;
}

function removal({ kith, say }: Context, space: string, doc: string): HTMLElement {
  const problem = element("p", { role: "alert", class: "note", hidden: true });
  const remove = button("Remove it for everybody", () => {
    remove.disabled = true;
    kith.remove(space, doc).then(
      () => {
        say("Removed.");
        location.hash = addresses.space(space);
      },
      (error: unknown) => {
        remove.disabled = false;
        problem.textContent = error instanceof Error ? error.message : String(error);
        problem.hidden = false;
      },
    );
  });
  return element(
    "details", { class: "keep" },
    element("summary", {}, "Remove"),
    element("p", {}, "Everybody in this space loses sight of this document."),
    remove,
    problem,
  );
}
