// <deskhand-chat site-key="..." theme="auto|light|dark" position="left|right" locale="auto|en|...">: launcher and panel
// in a shadow root. What happens is told by DOM events that bubble: deskhand:opened, closed, ready, ...

import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { trap } from "./dom.js";
import { prechat, threadList } from "./forms.js";
import { panelParts } from "./markup.js";
import { Messages } from "./messages.js";
import { Signs } from "./signs.js";
import { locale, say, speak, when } from "./strings.js";
import { sheet } from "./style.js";
import { save } from "./transcript.js";
import { Visitor } from "./visitor.js";

const MOST_THREADS = 20;
const SPEAKS = ["bot", "person"];

class DeskhandChat extends HTMLElement {
  strings = {};
  #visitor;
  #chats = new Map();
  #chat;
  #parts;
  #messages;
  #composer;
  #signs;
  #unread = 0;
  #ready = null;
  #moving = null; // while a new conversation is looked for: tells whether there is one
  #dark = matchMedia("(prefers-color-scheme: dark)");
  #small = matchMedia("(max-width: 480px), (max-height: 480px)");

  static observedAttributes = ["theme", "position", "locale"];

  connectedCallback() {
    this.#ready ??= this.#begin();
    this.#ready.then(() => this.isConnected && this.#resume());
  }

  disconnectedCallback() {
    for (const chat of this.#chats.values()) chat.stop();
  }

  attributeChangedCallback(name) {
    if (name === "locale") this.setLocale();
    else if (this.#parts) this.#dress();
  }

  async show({ focus = true } = {}) {
    await this.#ready;
    const { root, panel, launcher } = this.#parts;
    if (!panel.hidden) return;
    this.#visitor.keep({ open: true });
    this.#chat.start();
    root.toggleAttribute("data-open", true);
    panel.hidden = false;
    panel.setAttribute("aria-modal", String(this.#small.matches));
    launcher.setAttribute("aria-expanded", "true");
    this.#read();
    this.#messages.scroll();
    if (focus) this.#focus();
    this.#emit("opened");
  }

  async hide() {
    await this.#ready;
    const { root, panel, launcher } = this.#parts;
    if (panel.hidden) return;
    this.#visitor.keep({ open: false });
    root.toggleAttribute("data-open", false);
    panel.hidden = true;
    launcher.setAttribute("aria-expanded", "false");
    this.#read();
    launcher.focus();
    this.#emit("closed");
  }

  async toggle() {
    await this.#ready;
    this.#parts.panel.hidden ? await this.show() : await this.hide();
  }

  /** Who is logged in on this page; `hmac` is the proof of the page's server. Without an id, nobody is. */
  async setUser(id, traits = {}, hmac = "") {
    await this.#ready;
    if (!id) return this.shutdown({ stay: true });
    const begun = this.#visitor.kept.token || !this.#parts.panel.hidden;
    await this.#visitor.identify({ id, traits, hmac });
    if (!begun) return; // they may never write: the first look into the panel opens their session
    this.disconnectedCallback();
    await this.#visitor.renew().catch(() => {}); // the event has said why
    this.#chat.start();
  }

  /** Told to the desk with each message. */
  async setAttributes(values) {
    await this.#ready;
    this.#visitor.keep({ attributes: { ...this.#visitor.kept.attributes, ...values } });
  }

  async setLocale(name) {
    if (name && name !== this.getAttribute("locale")) return this.setAttribute("locale", name);
    if (!this.#ready) return;
    await this.#ready;
    await this.#speak();
    this.#build();
    await this.#visitor.renew().catch(() => {}); // the desk's own words, too
  }

  async sendMessage(text) {
    await this.#ready;
    await this.#moving; // what is said after "New conversation" belongs there
    this.#chat.start();
    this.#send(String(text));
  }

  /** Forgets the visitor in this browser; the conversation stays with the desk. */
  async shutdown({ stay = false } = {}) {
    await this.#ready;
    this.disconnectedCallback();
    this.#visitor.forgetAll();
    this.#chats.clear();
    if (stay) this.#open(1);
    else this.remove();
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(`deskhand:${name}`, { detail, bubbles: true, composed: true }));
  }

  #speak() {
    return speak(this.getAttribute("locale") ?? "auto", { ...this.#visitor.kept.strings, ...this.strings });
  }

  async #begin() {
    this.#visitor = new Visitor(new URL("../../../", import.meta.url), this.getAttribute("site-key") ?? "", {
      session: () => this.#met(),
      reset: () => (this.#chats.forEach((chat) => chat.restart()), this.#open(1)),
      kept: () => this.#read(),
      error: (reason, quiet) => {
        if (!quiet) this.#signs.alert(say("noSession", { reason }));
        this.#emit("error", { reason });
      },
    });
    await this.#speak();
    this.#chat = this.#thread(this.#visitor.kept.thread ?? 1);
    const shadow = this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet];
    this.#dark.addEventListener("change", () => this.#dress());
    document.addEventListener("visibilitychange", () => this.#read());
    this.#build();
    this.#emit("ready");
  }

  #resume() {
    const { kept } = this.#visitor;
    if (!kept.token) return;
    for (const thread of new Set([this.#chat.thread, ...(kept.alive ?? [])])) this.#thread(thread).start();
    if (kept.open && !this.#small.matches) this.show({ focus: false });
  }

  #thread(number) {
    if (!this.#chats.has(number))
      this.#chats.set(
        number,
        new Chat(this.#visitor, number, {
          events: (chat, events) => this.#hear(chat, events),
          reset: (chat) => this.#shown(chat, () => (this.#messages.clear(), this.#greet())),
          pending: (chat, item) => this.#shown(chat, () => this.#pend(item)),
          live: (chat) => this.#shown(chat, () => this.#signs.line(this.#chat.live, () => this.#visitor.kept.token)),
          typing: (chat, person) =>
            this.#shown(chat, () => (this.#messages.read(), this.#signs.typing(person), this.#messages.follow())),
          draft: (chat, event) => this.#shown(chat, () => (this.#signs.still(), this.#messages.draft(event))),
        }),
      );
    return this.#chats.get(number);
  }

  #shown(chat, act) {
    if (chat === this.#chat && this.#parts) act();
  }

  /** Everything anew, from what is known: at the start, in another language, for another conversation. */
  #build() {
    const was = this.#parts;
    const picture = (person) => this.#visitor.session?.faces?.[person];
    this.#messages = new Messages({
      choose: ({ title, payload }) => this.#send(payload ?? title, { title: payload ? title : "" }),
      retry: (id) => this.#chat.retry(id),
      rate: (id, rating, comment) => this.#tell("feedback", { id, rating, comment }),
      asksScore: () => this.#visitor.session?.csat,
      score: (body) => this.#tell("score", body),
      picture,
      url: (path) => this.#visitor.url(path),
    });
    const on = {
      typed: () => this.#composer.grow(),
      typedKey: (event) => this.#composer.key(event),
      panelKey: (event) => this.#panelKey(event),
      submit: (event) => (event.preventDefault(), this.#composer.submit()),
      files: (files) => this.#sendFiles(files),
      askPerson: () => this.#send("", { title: say("askPerson"), path: "handoff" }),
      close: () => this.hide(),
      toggle: () => this.toggle(),
      menu: () => this.#menu(this.#parts.menu.hidden),
      newThread: () => this.#new(),
      threads: () => this.#list(),
      transcript: () => {
        this.#menu(false);
        const { name, greeting } = this.#visitor.session ?? {};
        save(name, greeting || say("greeting"), this.#chat.events);
      },
      end: () => (this.#menu(false), this.#tell("close", {})),
      back: () => (this.#page(), this.#focus()),
    };
    this.#parts = panelParts(this.#messages.node, on);
    this.#signs = new Signs(this.#parts, picture);
    this.#composer = new Composer(this.#parts, {
      limit: () => this.#visitor.session?.max_chars ?? Infinity,
      last: () => this.#chat.events.findLast(({ kind }) => kind === "customer")?.text ?? "",
      alert: (text) => this.#signs.alert(text),
      submit: (text) => this.#submit(text),
    });
    const focused = this.shadowRoot.activeElement;
    this.shadowRoot.replaceChildren(this.#parts.root);
    this.#composer.text = was?.composer.value ?? "";
    this.#dress();
    this.#greet();
    this.#show(this.#chat.events);
    for (const item of this.#chat.outbox) this.#messages.pending(item);
    this.#signs.mode(this.#chat);
    this.#signs.line(this.#chat.live, () => this.#visitor.kept.token);
    if (was && !was.panel.hidden) {
      this.#parts.panel.hidden = false;
      this.#parts.root.toggleAttribute("data-open", true);
      this.#parts.launcher.setAttribute("aria-expanded", "true");
    }
    if (focused) this.#focus(); // or it is nowhere
    this.#read();
    this.#messages.scroll();
  }

  #dress() {
    const theme = this.getAttribute("theme") ?? "auto";
    const { root } = this.#parts;
    const rtl = locale === "ar";
    root.lang = locale;
    root.dir = rtl ? "rtl" : "ltr";
    root.dataset.theme = theme === "auto" ? (this.#dark.matches ? "dark" : "light") : theme;
    root.dataset.position = this.getAttribute("position") ?? (rtl ? "left" : "right");
  }

  /** The desk may have words of its own for what the widget says; they are kept for the next visit. */
  async #met() {
    const { strings } = this.#visitor.session;
    if (JSON.stringify(strings) === JSON.stringify(this.#visitor.kept.strings ?? {})) return this.#greet();
    this.#visitor.keep({ strings });
    await this.#speak();
    this.#build();
  }

  #greet() {
    const { session } = this.#visitor;
    if (!session || !this.#parts) return;
    const { title, panel, away, attach, picker } = this.#parts;
    title.textContent = session.name;
    panel.setAttribute("aria-label", say("panel", { name: session.name }));
    away.hidden = !session.away;
    const time = session.back_at && when(session.back_at, { weekday: "long", hour: "numeric", minute: "2-digit" });
    away.textContent = [session.away_text || say("away"), time && say("backAt", { time })].filter(Boolean).join(" ");
    attach.hidden = !session.files;
    picker.accept = session.files?.accept ?? "";
    const begun = this.#chat.offset || this.#chat.outbox.length;
    this.#messages.greet(session.greeting || say("greeting"), begun ? [] : session.starters);
    if (!begun && session.prechat?.length && !this.#visitor.kept.asked)
      this.#page(
        prechat(session.prechat, (values) => {
          this.setAttributes(values);
          this.#visitor.keep({ asked: true });
          this.#page();
          this.#focus();
        }),
      );
    this.#composer.grow();
  }

  #hear(chat, events) {
    for (const event of events)
      if (SPEAKS.includes(event.kind) && event.offset >= chat.seen) this.#emit("messageReceived", event);
    this.#shown(chat, () => {
      const { node } = this.#messages;
      const history = events.length > 1 && !node.querySelector(".customer, .bot time");
      node.setAttribute("aria-live", history ? "off" : "polite");
      this.#show(events);
      this.#signs.still();
      this.#signs.mode(this.#chat);
      if (chat.offset && this.#parts.page.firstChild?.matches(".box")) this.#page();
      if (events.length) this.#messages.follow();
    });
    const alive = [...this.#chats.values()].filter(({ mode }) => ["waiting", "person"].includes(mode));
    this.#visitor.keep({ alive: alive.map(({ thread }) => thread) });
    this.#read();
  }

  #show(events) {
    for (const event of events) this.#messages.add(event);
  }

  #pend(item) {
    this.#messages.pending(item);
    this.#messages.scroll();
    if (!["sending", "sent"].includes(item.state)) this.#signs.still();
  }

  #send(text, options) {
    if (this.#afterMove(() => this.#send(text, options))) return;
    this.#page();
    this.#chat.send(text, options);
    this.#emit("messageSent", { text: options?.title || text });
    if (this.#chat.mode === "bot" || this.#chat.mode === "closed") this.#signs.typing();
    this.#settle();
  }

  #sendFiles(files) {
    const { files: allowed } = this.#visitor.session ?? {};
    for (const file of allowed ? files : []) this.#send("", { file });
    this.#parts.picker.value = "";
  }

  #focus() {
    const { page, composer, panel, launcher } = this.#parts;
    (panel.hidden ? launcher : (page.querySelector("input, select, textarea, button") ?? composer)).focus();
  }

  /** The button that was pressed may be gone. By touch, the composer would call up a keyboard that nobody asked for. */
  #settle() {
    const { composer, panel } = this.#parts;
    if (panel.hidden || this.shadowRoot.activeElement === composer) return;
    (matchMedia("(pointer: coarse)").matches ? this.#messages.node : composer).focus({ preventScroll: true });
  }

  /** A message stays where it can be seen until there is a new conversation for it, or none. */
  #submit(text) {
    const { composer } = this.#parts;
    composer.readOnly = Boolean(this.#afterMove(() => this.#composer.submit(), () => (composer.readOnly = false)));
    if (!composer.readOnly) this.#send(text);
    return !composer.readOnly;
  }

  /** feedback | score | close; says whether it arrived. */
  async #tell(path, body) {
    const arrived = await this.#chat.tell(path, body);
    if (!arrived) this.#signs.alert(say("notArrived"));
    else if (path !== "close") this.#parts.heard.textContent = say("thanks");
    if (arrived && path !== "close") this.#emit("rated", body);
    return arrived;
  }

  /** Shows another page in place of the conversation; without one, the conversation. */
  #page(node) {
    const { page, log, field, back, sign } = this.#parts;
    page.replaceChildren(...(node ? [node] : []));
    page.hidden = !node;
    log.hidden = field.hidden = Boolean(node);
    back.hidden = !node?.matches(".list");
    sign.hidden = !back.hidden;
    this.#menu(false);
  }

  #menu(open) {
    const { menu, more } = this.#parts;
    menu.hidden = !open;
    more.setAttribute("aria-expanded", String(open));
    if (open) menu.querySelector("button").focus();
  }

  async #list() {
    const found = await this.#visitor.ask("threads").catch(() => null);
    if (!found) return this.#signs.alert(say("notArrived"));
    const { seen = {} } = this.#visitor.kept;
    const threads = found.threads.map((one) => ({ ...one, unread: one.next > (seen[one.thread] ?? 0) }));
    this.#page(threadList(threads, when, (thread) => (thread ? this.#open(thread) : this.#new(found.threads))));
    this.#focus();
  }

  #new(known) {
    this.#moving ??= this.#move(known).finally(() => (this.#moving = null));
  }

  /** What is said after "New conversation" belongs there, also while it is still looked for. */
  #afterMove(act, stay = act) {
    return this.#moving?.then((moved) => (moved ? act : stay)());
  }

  async #move(known) {
    const threads = known ?? (await this.#visitor.ask("threads").catch(() => ({}))).threads;
    if (!threads) return this.#signs.alert(say("notArrived")), false;
    const used = new Set(threads.map(({ thread }) => thread));
    const free = Array.from({ length: MOST_THREADS }, (_, n) => n + 1).find((n) => !used.has(n));
    if (free) this.#open(free);
    else this.#list();
    return Boolean(free);
  }

  #open(thread) {
    if (!["waiting", "person"].includes(this.#chat.mode)) this.#chat.stop();
    this.#chat = this.#thread(thread);
    this.#visitor.keep({ thread });
    this.#build();
    if (this.#parts.panel.hidden) return;
    this.#chat.start();
    this.#focus();
  }

  #panelKey(event) {
    const { menu, more, back } = this.#parts;
    event.stopPropagation(); // a page's shortcuts must not fire while somebody writes here
    if (event.key === "Escape") {
      if (!menu.hidden) this.#menu(false), more.focus();
      else if (!back.hidden) this.#page(), this.#focus();
      else this.hide();
    } else if (event.key === "Tab" && this.#small.matches) trap(event, this.#parts.panel);
  }

  /** What is new in all conversations of this visitor. */
  #read() {
    if (!this.#parts) return;
    if (!this.#parts.panel.hidden && !document.hidden) this.#chat.see();
    const chats = [...this.#chats.values()];
    const unread = chats.flatMap((chat) => chat.unread);
    this.#signs.news(unread, (event) => {
      const { thread } = chats.find((chat) => chat.unread.includes(event)) ?? this.#chat;
      if (thread !== this.#chat.thread) this.#open(thread);
      this.show();
    });
    if (this.#unread !== unread.length) this.#emit("unread", { count: unread.length });
    this.#unread = unread.length;
  }
}

if (!customElements.get("deskhand-chat")) customElements.define("deskhand-chat", DeskhandChat);
