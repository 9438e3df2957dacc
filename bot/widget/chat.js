// One conversation as this browser knows it: events by offset, and what is still on its way to the desk.
// No DOM here; what changes is told through the handlers.

import { Connection } from "./connection.js";

const FAILED_MS = 20_000;

function newId() {
  // crypto.randomUUID exists on https only; a shop's test page may not be.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

export class Chat {
  mode = "bot"; // bot | waiting | person | closed
  person = "";
  offset = 0;
  live = false;
  events = [];
  outbox; // {id, thread, path, text, title, at, file, files, state: sending | sent | failed | refused, reason}

  #visitor;
  #tell;
  #posting = Promise.resolve();
  #timers = new Map();
  #connection;

  /** tell: {reset(), events(list), pending(item), live(), typing(person), draft(event)}, each with this chat first */
  constructor(visitor, thread, tell) {
    this.thread = thread;
    this.#visitor = visitor;
    this.#tell = (name, value) => tell[name](this, value);
    this.outbox = visitor.outbox.filter((item) => item.thread === thread);
    this.#connection = new Connection({
      visitor,
      thread,
      offset: () => this.offset,
      frame: (frame) => this.#hear(frame),
      live: (live) => this.#alive(live),
    });
  }

  get seen() {
    return this.#visitor.kept.seen?.[this.thread] ?? 0;
  }

  /** What the desk has said and this customer has not seen. */
  get unread() {
    return this.events.filter(({ kind, offset }) => ["bot", "person"].includes(kind) && offset >= this.seen);
  }

  /** All of it is on the screen; people of the desk hear that theirs was read. */
  see() {
    if (this.offset <= this.seen) return;
    if (this.unread.some(({ kind }) => kind === "person")) this.tell("seen", {});
    this.#visitor.keep({ seen: { ...this.#visitor.kept.seen, [this.thread]: this.offset } });
  }

  start() {
    this.#connection.start();
  }

  stop() {
    this.#connection.stop();
  }

  send(text, { title = "", path = "messages", file } = {}) {
    const item = { id: newId(), thread: this.thread, path, text, title, at: Date.now() / 1000 };
    if (file) item.file = file;
    this.outbox.push(item);
    this.#push(item);
    if (!file) this.#visitor.remember(item);
  }

  retry(id) {
    const item = this.outbox.find((one) => one.id === id);
    if (item) this.#push(item);
  }

  /** feedback | score | close; false when it did not arrive. */
  async tell(path, body) {
    try {
      await this.#visitor.ask(path, { thread: this.thread, ...body });
      return true;
    } catch {
      return false;
    }
  }

  restart() {
    Object.assign(this, { offset: 0, mode: "bot", person: "", events: [] });
    this.#tell("reset");
  }

  #push(item) {
    this.#mark(item, "sending");
    clearTimeout(this.#timers.get(item.id));
    if (!item.file)
      this.#timers.set(
        item.id,
        setTimeout(() => this.#mark(item, "failed"), FAILED_MS),
      );
    if (!item.file && this.#connection.send({ type: item.path, ...this.#body(item) })) return;
    this.#posting = this.#posting
      .then(() => this.#post(item))
      .then(
        () => this.#mark(item, "sent"),
        (error) => this.#fail(item, error.status, error.message),
      );
  }

  async #post(item) {
    if (item.file) {
      const query = new URLSearchParams({ thread: this.thread, name: item.file.name || "picture.png" });
      item.files = [await this.#visitor.ask(`files?${query}`, item.file)];
      delete item.file;
      this.#visitor.remember(item);
    }
    await this.#visitor.ask(item.path, this.#body(item));
  }

  #body({ id, thread, text, title, files }) {
    const { attributes } = this.#visitor.kept;
    return { id, thread, text, title, attributes, files: files?.map((file) => file.id) };
  }

  #fail(item, status, reason) {
    // Too long, malformed: sending the same again cannot help, so only the customer may.
    const refused = status >= 400 && status < 500 && status !== 401 && status !== 429;
    this.#mark(item, refused ? "refused" : "failed", status ? reason : "");
  }

  #mark(item, state, reason = "") {
    if (!this.outbox.includes(item)) return;
    if (state !== "sending") clearTimeout(this.#timers.get(item.id));
    Object.assign(item, { state, reason });
    this.#tell("pending", item);
  }

  #alive(live) {
    this.live = live;
    this.#tell("live");
    if (live) for (const item of this.outbox) if (item.state !== "refused") this.#push(item);
  }

  #hear(frame) {
    if (frame.type === "error") {
      const item = this.outbox.find((one) => one.id === frame.id);
      if (item) this.#fail(item, frame.status, frame.detail);
    } else if (frame.type === "events") {
      if (frame.reset) this.restart();
      const fresh = frame.events.filter((event) => event.offset >= this.offset);
      this.offset = Math.max(this.offset, frame.next);
      for (const event of fresh) this.#apply(event);
      this.#tell("events", fresh);
    } else if (frame.type === "typing") this.#tell("typing", frame.person);
    else if (frame.type === "draft") this.#tell("draft", frame.event);
  }

  #apply(event) {
    this.events.push(event);
    if (event.kind === "customer") {
      this.outbox = this.outbox.filter((item) => item.id !== event.id);
      clearTimeout(this.#timers.get(event.id));
      this.#visitor.forget(event.id);
      if (this.mode === "closed") this.mode = "bot";
    } else if (event.kind === "person" || event.notice === "joined") {
      Object.assign(this, { mode: "person", person: event.person });
    } else if (event.kind === "notice") {
      this.mode = { waiting: "waiting", closed: "closed", released: "bot" }[event.notice];
    }
  }
}
