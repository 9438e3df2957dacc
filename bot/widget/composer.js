// Where the customer writes: as high as its text, no longer than the desk reads. Enter sends, the arrow up in an empty
// field brings back what was said last.

import { say } from "./strings.js";

export class Composer {
  #parts;
  #act;

  /** act: {limit(), last(): text, alert(text), submit(text): whether it was taken} */
  constructor(parts, act) {
    this.#parts = parts;
    this.#act = act;
  }

  get text() {
    return this.#parts.composer.value;
  }

  set text(text) {
    this.#parts.composer.value = text;
    this.grow();
  }

  grow() {
    const { composer, send } = this.#parts;
    const limit = this.#act.limit();
    const over = [...this.text].length - limit;
    this.#act.alert(over > 0 ? say("tooLong", { over, limit }) : "");
    send.disabled = over > 0 || !this.text.trim();
    composer.style.height = "auto";
    composer.style.height = `${Math.min(composer.scrollHeight || 36, 132)}px`;
  }

  key(event) {
    if (event.key === "ArrowUp" && !this.text) this.text = this.#act.last();
    // While an input method composes, Enter picks a word and sends nothing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.submit();
  }

  submit() {
    const text = this.text.trim();
    if (text && !this.#parts.send.disabled && this.#act.submit(text)) this.text = "";
  }
}
