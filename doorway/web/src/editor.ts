/**
 * Something of a document that can be read and, after a press on a button, changed.
 *
 * Invariant: what a person is writing is never replaced unasked.
 */

import { button, element, field, form, replaceChildren } from "./dom.js";
import type { Document } from "./protocol.js";

/** What an editor shows and how it saves. */
export interface EditorOptions {
  readonly label: string;
  readonly mayWrite: boolean;
  /** A class for how the text looks. */
  readonly look: string;
  readonly textOf: (document: Document) => string;
  /** `base` is what the document was when the writing began. */
  readonly save: (text: string, base: Document) => Promise<void>;
  /** The document as it is now. */
  readonly reload: () => Promise<void>;
}

/** An editor on the page. */
export class Editor {
  readonly element = element("div");
  readonly #options: EditorOptions;
  readonly #text = element("textarea", { rows: "14" });
  readonly #notice = element("div", { role: "alert" });
  #latest: Document;
  /** What the writing began with; null while nobody writes. */
  #base: Document | null = null;
  #isSaving = false;

  constructor(options: EditorOptions, document: Document) {
    this.#options = options;
    this.#latest = document;
    this.#text.className = options.look;
    this.#showText();
  }

  /** Whether something typed is not saved yet. */
  get isUnsaved(): boolean {
    return this.#base !== null && this.#text.value !== this.#options.textOf(this.#base);
  }

  /** The document is another now. */
  update(document: Document): void {
    const before = this.#options.textOf(this.#latest);
    const after = this.#options.textOf(document);
    this.#latest = document;
    if (this.#isSaving || before === after) return;
    if (this.#base === null) return this.#showText();
    if (this.#text.value === after) return this.#begin();
    this.#changedElsewhere();
  }

  #showText(): void {
    this.#base = null;
    const { label, look, mayWrite, textOf } = this.#options;
    const text = element("div", { class: `text ${look}` }, textOf(this.#latest));
    const edit = mayWrite ? button(`Edit ${label}`, () => this.#edit(), { class: "quiet" }) : null;
    replaceChildren(this.element, text, edit);
  }

  #edit(): void {
    const save = element("button", { type: "submit" }, "Save");
    const cancel = button("Cancel", () => this.#cancel(), { class: "quiet" });
    const { label } = this.#options;
    const heading = label.charAt(0).toUpperCase() + label.slice(1);
    this.element.replaceChildren(
      form(() => this.#save(), field(heading, this.#text), this.#notice, element("div", { class: "row" }, save, cancel)),
    );
    this.#text.value = this.#options.textOf(this.#latest);
    this.#begin();
    this.#text.focus();
  }

  #begin(): void {
    this.#base = this.#latest;
    this.#notice.replaceChildren();
  }

  #cancel(): void {
    this.#showText();
    this.element.querySelector("button")?.focus();
  }

  async #save(): Promise<void> {
    if (this.#base === null) return;
    this.#isSaving = true;
    try {
      if (this.isUnsaved) await this.#options.save(this.#text.value, this.#base);
    } finally {
      this.#isSaving = false;
    }
    await this.#options.reload();
    this.#cancel();
  }

  #changedElsewhere(): void {
    const reload = button("Take the new one", () => this.#edit(), { class: "quiet" });
    const keep = button("Keep mine", () => {
      this.#notice.replaceChildren();
      this.#text.focus();
    }, { class: "quiet" });
    this.#notice.replaceChildren(
      element("div", { class: "note" },
        element("p", {}, "This was changed elsewhere while you were writing."),
        element("div", { class: "row" }, reload, keep)),
    );
  }
}
