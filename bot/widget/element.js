// <deskhand-chat site-key="..." theme="auto|light|dark" position="left|right">: launcher and panel in a shadow root.

import { Chat } from "./chat.js";
import { icon } from "./dom.js";
import { panelParts } from "./markup.js";
import { Messages } from "./messages.js";
import { say } from "./strings.js";
import { sheet } from "./style.js";

const TYPING_MS = 350; // An answer quicker than this needs no dots.
const BROKEN_MS = 1_500; // A break shorter than this needs no words.

class DeskhandChat extends HTMLElement {
  #chat;
  #unread = 0;
  #parts;
  #messages;
  #typing = 0;
  #broken = 0;
  #dark = matchMedia("(prefers-color-scheme: dark)");
  #small = matchMedia("(max-width: 480px), (max-height: 480px)");

  static observedAttributes = ["theme", "position"];

  connectedCallback() {
    if (!this.shadowRoot) this.#build();
    if (this.#chat.returning) this.#chat.start();
    if (this.#chat.open && !this.#small.matches) this.show({ focus: false });
  }

  disconnectedCallback() {
    this.#chat.stop();
  }

  attributeChangedCallback() {
    if (this.#parts) this.#dress();
  }

  show({ focus = true } = {}) {
    const { root, panel, composer, launcher } = this.#parts;
    if (!panel.hidden) return;
    this.#chat.keep({ open: true });
    this.#chat.start();
    root.toggleAttribute("data-open", true);
    panel.hidden = false;
    panel.setAttribute("aria-modal", String(this.#small.matches));
    launcher.setAttribute("aria-expanded", "true");
    this.#read();
    this.#messages.scroll();
    if (focus) composer.focus();
  }

  hide() {
    const { root, panel, launcher } = this.#parts;
    if (panel.hidden) return;
    this.#chat.keep({ open: false });
    root.toggleAttribute("data-open", false);
    panel.hidden = true;
    launcher.setAttribute("aria-expanded", "false");
    this.#read();
    launcher.focus();
  }

  toggle() {
    this.#parts.panel.hidden ? this.show() : this.hide();
  }

  #build() {
    this.#messages = new Messages({
      choose: ({ title, payload }) => this.#send(payload ?? title, { title: payload ? title : "" }),
      retry: (id) => this.#chat.retry(id),
      rate: (id, rating) => this.#rate(id, rating),
    });
    this.#parts = panelParts(this.#messages.node, {
      typed: () => this.#grow(),
      typedKey: (event) => this.#key(event),
      panelKey: (event) => this.#panelKey(event),
      submit: (event) => (event.preventDefault(), this.#submit()),
      askPerson: () => this.#askPerson(),
      close: () => this.hide(),
      toggle: () => this.toggle(),
    });
    this.#chat = new Chat(new URL("../../../", import.meta.url), this.getAttribute("site-key") ?? "", {
      session: () => this.#greet(),
      reset: () => (this.#messages.clear(), this.#greet()),
      events: (events) => this.#hear(events),
      pending: (item) => this.#pend(item),
      live: () => this.#line(),
      error: (reason) => this.#alert(say("noSession", { reason })),
    });
    for (const item of this.#chat.outbox) this.#pend(item);
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.#parts.root);
    this.#dark.addEventListener("change", () => this.#dress());
    this.#dress();
    this.#read();
    this.#mode();
  }

  #dress() {
    const theme = this.getAttribute("theme") ?? "auto";
    const { root } = this.#parts;
    root.dataset.theme = theme === "auto" ? (this.#dark.matches ? "dark" : "light") : theme;
    root.dataset.position = this.getAttribute("position") ?? "right";
  }

  #greet() {
    const { session } = this.#chat;
    if (!session) return;
    const { title, panel } = this.#parts;
    title.textContent = session.name;
    panel.setAttribute("aria-label", say("panel", { name: session.name }));
    this.#messages.greet(session.greeting, this.#chat.offset || this.#chat.outbox.length ? [] : session.starters);
    this.#alert("");
    this.#grow();
  }

  #hear(events) {
    const { node } = this.#messages;
    const history = events.length > 1 && this.#chat.offset && !node.querySelector(".customer, .bot time");
    node.setAttribute("aria-live", history ? "off" : "polite");
    for (const event of events) {
      this.#messages.add(event);
      if (["bot", "person"].includes(event.kind) && event.offset >= this.#chat.seen) this.#unread++;
      if (event.kind !== "rating")
        this.dispatchEvent(new CustomEvent("deskhand-message", { detail: event, bubbles: true }));
    }
    this.#dots(false);
    this.#mode();
    this.#read();
    if (events.length) this.#messages.follow();
  }

  #pend(item) {
    this.#messages.pending(item);
    this.#messages.scroll();
    if (!["sending", "sent"].includes(item.state)) this.#dots(false);
  }

  #send(text, options) {
    this.#chat.send(text, options);
    if (this.#chat.mode === "bot" || this.#chat.mode === "closed") this.#dots(true);
    this.#settle();
  }

  /** The button that was pressed may be gone. By touch, the composer would call up a keyboard that nobody asked for. */
  #settle() {
    const { composer } = this.#parts;
    const at = this.shadowRoot.activeElement;
    if (at === composer) return;
    (matchMedia("(pointer: coarse)").matches ? this.#messages.node : composer).focus({ preventScroll: true });
  }

  #submit() {
    const { composer, send } = this.#parts;
    const text = composer.value.trim();
    if (!text || send.disabled) return;
    composer.value = "";
    this.#grow();
    this.#send(text);
  }

  #askPerson() {
    this.#send("", { title: say("askPerson"), path: "handoff" });
  }

  async #rate(id, rating) {
    const arrived = await this.#chat.rate(id, rating);
    if (arrived) this.#parts.heard.textContent = say("rated");
    else this.#alert(say("notRated"));
    return arrived;
  }

  #grow() {
    const { composer, send } = this.#parts;
    const limit = this.#chat?.session?.max_chars ?? Infinity;
    const over = [...composer.value].length - limit;
    this.#alert(over > 0 ? say("tooLong", { over, limit }) : "");
    send.disabled = over > 0 || !composer.value.trim();
    composer.style.height = "auto";
    composer.style.height = `${Math.min(composer.scrollHeight || 36, 132)}px`;
  }

  #key(event) {
    // While an input method composes, Enter picks a word and sends nothing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#submit();
  }

  #panelKey(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.hide();
    } else if (event.key === "Tab" && this.#small.matches) this.#trap(event);
  }

  /** On a small screen the panel covers the page, so focus must not leave it. */
  #trap(event) {
    const stops = [
      ...this.#parts.panel.querySelectorAll('button:not(:disabled), textarea, a[href], [tabindex="0"]'),
    ].filter((node) => node.offsetParent);
    const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (this.shadowRoot.activeElement !== from) return;
    event.preventDefault();
    to.focus();
  }

  #mode() {
    const { mode, person } = this.#chat;
    const { status, person: button } = this.#parts;
    const [who, below] = {
      waiting: [say("waiting"), say("asked")],
      person: [say("withPerson", { person }), say("talkingTo", { person })],
    }[mode] ?? [say("assistant"), say("askPerson")];
    status.dataset.mode = mode;
    status.textContent = who;
    button.disabled = mode === "waiting" || mode === "person";
    button.lastChild.textContent = below;
  }

  #read() {
    const { panel, launcher, badge, glyph } = this.#parts;
    const open = !panel.hidden;
    if (open) {
      this.#unread = 0;
      if (this.#chat.offset > this.#chat.seen) this.#chat.keep({ seen: this.#chat.offset });
    }
    badge.hidden = !this.#unread;
    badge.textContent = this.#unread > 9 ? "9+" : this.#unread;
    glyph.replaceChildren(icon(open ? "down" : "chat"));
    launcher.setAttribute(
      "aria-label",
      open ? say("close") : this.#unread ? say("openUnread", { count: this.#unread }) : say("open"),
    );
  }

  #dots(on) {
    const { typing, heard } = this.#parts;
    clearTimeout(this.#typing);
    if (!on) typing.hidden = true;
    else
      this.#typing = setTimeout(() => {
        typing.hidden = false;
        heard.textContent = say("typing");
        this.#messages.follow();
      }, TYPING_MS);
  }

  #line() {
    const { root, line } = this.#parts;
    root.toggleAttribute("data-live", this.#chat.live);
    clearTimeout(this.#broken);
    this.#broken = 0;
    if (this.#chat.live) line.hidden = true;
    else
      this.#broken = setTimeout(() => {
        line.textContent = say("reconnecting");
        line.hidden = false;
      }, BROKEN_MS);
  }

  #alert(text) {
    const { alert } = this.#parts;
    alert.textContent = text;
    alert.hidden = !text;
  }
}

if (!customElements.get("deskhand-chat")) customElements.define("deskhand-chat", DeskhandChat);
