// The conversation as this browser knows it: session, events by offset, and an outbox that outlives a reload.
// No DOM here; what changes is told through the handlers.

import { Connection } from "./connection.js";

const FAILED_MS = 20_000;

function newId() {
  // crypto.randomUUID exists on https only; a shop's test page may not be.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

export class Chat {
  session = null; // {token, conversation, expires_at, name, greeting, starters, max_chars}
  mode = "bot"; // bot | waiting | person | closed
  person = "";
  offset = 0;
  live = false;
  outbox = []; // {id, path, text, title, state: sending | sent | failed | refused, reason}

  #base;
  #site;
  #tell;
  #kept;
  #refreshing = null;
  #posting = Promise.resolve();
  #timers = new Map();
  #connection;

  /** tell: {session(), reset(), events(list), pending(item), live(), error(text)} */
  constructor(base, site, tell) {
    this.#base = base;
    this.#site = site;
    this.#tell = tell;
    this.#kept = this.#load();
    this.outbox = this.#kept.outbox ?? [];
    this.#connection = new Connection({
      base,
      token: () => this.#token(),
      offset: () => this.offset,
      frame: (frame) => this.#hear(frame),
      live: (live) => this.#alive(live),
      expired: () => (this.session = null),
    });
  }

  get returning() {
    return Boolean(this.#kept.token);
  }

  get seen() {
    return this.#kept.seen ?? 0;
  }

  get open() {
    return Boolean(this.#kept.open);
  }

  keep(values) {
    Object.assign(this.#kept, values);
    try {
      localStorage.setItem(`deskhand:${this.#site}`, JSON.stringify({ ...this.#kept, outbox: this.outbox }));
    } catch {
      // Storage is blocked or full: the chat works, and is forgotten on reload.
    }
  }

  start() {
    this.#connection.start();
  }

  stop() {
    this.#connection.stop();
  }

  send(text, { title = "", path = "messages" } = {}) {
    const item = { id: newId(), path, text, title, at: Date.now() / 1000 };
    this.outbox.push(item);
    this.#push(item);
    this.keep({});
  }

  retry(id) {
    const item = this.outbox.find((one) => one.id === id);
    if (item) this.#push(item);
  }

  async rate(id, rating) {
    try {
      await this.#post("feedback", { id, rating });
      return true;
    } catch {
      return false;
    }
  }

  #load() {
    try {
      return JSON.parse(localStorage.getItem(`deskhand:${this.#site}`)) ?? {};
    } catch {
      return {};
    }
  }

  async #token() {
    const fresh = this.session && this.session.expires_at - 60 > Date.now() / 1000;
    if (fresh) return this.session.token;
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
    return (await this.#refreshing).token;
  }

  async #refresh() {
    const body = { site_key: this.#site, token: this.#kept.token ?? null };
    let session;
    try {
      session = await this.#request("session", body, {});
    } catch (error) {
      if (error.status) this.#tell.error(error.message);
      throw error;
    }
    if (this.#kept.conversation && this.#kept.conversation !== session.conversation) this.#restart();
    this.session = session;
    this.keep({ token: session.token, conversation: session.conversation });
    this.#tell.session();
    return session;
  }

  #restart() {
    Object.assign(this, { offset: 0, mode: "bot", person: "" });
    this.#kept.seen = 0;
    this.#tell.reset();
    for (const item of this.outbox) this.#tell.pending(item);
  }

  async #post(path, body) {
    const send = async () => this.#request(path, body, { authorization: `Bearer ${await this.#token()}` });
    try {
      return await send();
    } catch (error) {
      if (error.status !== 401) throw error;
      this.session = null;
      return send();
    }
  }

  async #request(path, body, headers) {
    const response = await fetch(new URL(`widget/${path}`, this.#base), {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(FAILED_MS), // a request that hangs must not hold up the ones behind it
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    throw Object.assign(
      new Error(typeof answer.detail === "string" ? answer.detail : `the desk answered ${response.status}`),
      { status: response.status },
    );
  }

  #push(item) {
    this.#mark(item, "sending");
    clearTimeout(this.#timers.get(item.id));
    this.#timers.set(
      item.id,
      setTimeout(() => this.#mark(item, "failed"), FAILED_MS),
    );
    const body = { id: item.id, text: item.text, title: item.title };
    if (this.#connection.send({ type: item.path, ...body })) return;
    this.#posting = this.#posting
      .then(() => this.#post(item.path, body))
      .then(
        () => this.#mark(item, "sent"),
        (error) => this.#fail(item, error.status, error.message),
      );
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
    this.#tell.pending(item);
  }

  #alive(live) {
    this.live = live;
    this.#tell.live();
    if (live) for (const item of this.outbox) if (item.state !== "refused") this.#push(item);
  }

  #hear(frame) {
    if (frame.type === "error") {
      const item = this.outbox.find((one) => one.id === frame.id);
      if (item) this.#fail(item, frame.status, frame.detail);
    } else if (frame.type === "events") {
      if (frame.reset) this.#restart();
      const fresh = frame.events.filter((event) => event.offset >= this.offset);
      this.offset = Math.max(this.offset, frame.next);
      for (const event of fresh) this.#apply(event);
      this.#tell.events(fresh);
    }
  }

  #apply(event) {
    if (event.kind === "customer") {
      this.outbox = this.outbox.filter((item) => item.id !== event.id);
      clearTimeout(this.#timers.get(event.id));
      if (this.mode === "closed") this.mode = "bot";
      this.keep({});
    } else if (event.kind === "person" || event.notice === "joined") {
      Object.assign(this, { mode: "person", person: event.person });
    } else if (event.kind === "notice") {
      this.mode = { waiting: "waiting", closed: "closed", released: "bot" }[event.notice];
    }
  }
}
