// What the panel and its button show about the state of things: who is there, who types, what is new, what is broken.

import { button, face, h, icon } from "./dom.js";
import { say } from "./strings.js";

const TYPING_MS = 350; // An answer quicker than this needs no dots.
const PERSON_MS = 6_000; // A person who writes says so again within this time.
const BROKEN_MS = 1_500; // A break shorter than this needs no words.

export class Signs {
  #parts;
  #picture;
  #typing = 0;
  #broken = 0;

  /** picture(person): the address of their face, if there is one. */
  constructor(parts, picture) {
    this.#parts = parts;
    this.#picture = picture;
  }

  mode({ mode, person }) {
    const { status, sign, person: ask } = this.#parts;
    status.dataset.mode = mode;
    status.textContent =
      { waiting: say("waiting"), person: say("withPerson", { person }) }[mode] ?? say("assistant");
    sign.replaceChildren(mode === "person" ? face(person, this.#picture(person)) : face());
    sign.classList.toggle("person", mode === "person");
    ask.disabled = mode === "waiting" || mode === "person";
    ask.lastChild.textContent = ask.disabled ? status.textContent : say("askPerson");
  }

  /** Badge and preview; `peek(event)` opens where it was said. */
  news(unread, peek) {
    const { panel, launcher, badge, glyph } = this.#parts;
    const open = !panel.hidden;
    badge.hidden = !unread.length;
    badge.textContent = unread.length > 9 ? "9+" : unread.length;
    glyph.replaceChildren(icon(open ? "down" : "chat"));
    const closed = unread.length ? say("openUnread", { count: unread.length }) : say("open");
    launcher.setAttribute("aria-label", open ? say("close") : closed);
    this.#preview(open ? null : unread.at(-1), peek);
  }

  #preview(event, peek) {
    const { preview, title } = this.#parts;
    if (preview.dataset.id === event?.id) return;
    preview.hidden = !event;
    preview.dataset.id = event?.id ?? "";
    if (!event) return preview.replaceChildren();
    const said = [
      h("b", {}, event.person || title.textContent || say("assistant")),
      h("span", { dir: "auto" }, event.text),
    ];
    preview.replaceChildren(
      h("button", { type: "button", class: "peek", click: () => peek(event) }, said),
      button("quiet", () => (preview.hidden = true), icon("close"), say("dismiss")),
    );
  }

  /** The assistant thinks, until `still`, or for a while a person writes. */
  typing(person) {
    const { typing, heard, who } = this.#parts;
    clearTimeout(this.#typing);
    const show = () => {
      who.replaceChildren(face(person, this.#picture(person)));
      typing.classList.toggle("person", Boolean(person));
      typing.hidden = false;
      heard.textContent = say("typing", { person: person ?? say("assistant") });
      if (person) this.#typing = setTimeout(() => this.still(), PERSON_MS);
    };
    if (person) show();
    else this.#typing = setTimeout(show, TYPING_MS);
  }

  still() {
    clearTimeout(this.#typing);
    this.#parts.typing.hidden = true;
  }

  /** `expected`: there was a conversation before, so that a break is worth a word. */
  line(live, expected) {
    const { root, line } = this.#parts;
    root.toggleAttribute("data-live", live);
    clearTimeout(this.#broken);
    if (live) line.hidden = true;
    else
      this.#broken = setTimeout(() => {
        line.textContent = say("reconnecting");
        line.hidden = !expected();
      }, BROKEN_MS);
  }

  alert(text) {
    const { alert } = this.#parts;
    alert.textContent = text;
    alert.hidden = !text;
  }
}
