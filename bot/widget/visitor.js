// Who sits at this browser: the session with the desk, and what outlives a reload. Tabs of one site share it.

import { locale } from "./strings.js";

const PATIENCE_MS = 20_000;

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

function write(key, value) {
  try {
    if (value) localStorage.setItem(key, JSON.stringify(value));
    else localStorage.removeItem(key);
  } catch {
    // Storage is blocked or full: the chat works, and is forgotten on reload.
  }
}

export class Visitor {
  session = null; // what POST /widget/session answers
  user = null; // {id, traits, hmac}

  #base;
  #key;
  #tell;
  #refreshing = null;

  /** tell: {session(), reset(), kept(), error(text, quiet)} */
  constructor(base, site, tell) {
    this.#base = base;
    this.site = site;
    this.#key = `deskhand:${site}`;
    this.#tell = tell;
    this.kept = read(this.#key);
    addEventListener("storage", ({ key }) => {
      if (key !== this.#key) return;
      this.kept = read(key);
      tell.kept();
    });
  }

  keep(values) {
    // Another tab may have written in the meantime.
    this.kept = { ...this.kept, ...read(this.#key), ...values };
    write(this.#key, this.kept);
  }

  /** Messages that the desk has not acknowledged, each under a key of its own: no tab overwrites those of another. */
  get outbox() {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(`${this.#key}:out:`));
      return keys.map(read).sort((a, b) => a.at - b.at);
    } catch {
      return [];
    }
  }

  remember(item) {
    write(`${this.#key}:out:${item.id}`, item);
  }

  forget(id) {
    write(`${this.#key}:out:${id}`);
  }

  forgetAll() {
    for (const item of this.outbox) this.forget(item.id);
    write(this.#key);
    this.kept = {};
    this.session = this.user = null;
  }

  /** A token that is good for a minute at least. */
  async token() {
    const fresh = this.session && this.session.expires_at - 60 > Date.now() / 1000;
    if (!fresh) await this.renew();
    return this.session.token;
  }

  /** Who they are from now on; a session that is being opened just now is for whoever they were. */
  async identify(user) {
    await this.#refreshing?.catch(() => {});
    this.user = user;
    this.session = null;
  }

  renew() {
    this.#refreshing ??= this.#renew().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #renew() {
    const body = { site_key: this.site, token: this.kept.token ?? null, locale, user: this.user ?? undefined };
    try {
      this.session = await this.#request("session", { method: "POST", body: JSON.stringify(body) });
    } catch (error) {
      // Who they say they are is not proven: they stay who they were, and the page hears of it, not the customer.
      const forged = error.status === 401 && this.user;
      if (forged) this.user = null;
      if (error.status) this.#tell.error(error.message, forged);
      throw error;
    }
    const { token, conversation } = this.session;
    const other = this.kept.conversation && this.kept.conversation !== conversation;
    this.keep({ token, conversation, ...(other && { seen: {}, thread: 1 }) });
    if (other) this.#tell.reset();
    this.#tell.session();
  }

  /** A request as this visitor; `body` is sent as JSON unless it is a file. Throws an Error with `status`. */
  async ask(path, body, signal) {
    const how = body && { method: "POST", body: body instanceof Blob ? body : JSON.stringify(body) };
    const send = async () => this.#request(path, { ...how, signal }, { authorization: `Bearer ${await this.token()}` });
    try {
      return await send();
    } catch (error) {
      if (error.status !== 401) throw error;
      this.session = null;
      return send();
    }
  }

  async #request(path, how, headers) {
    const file = how.body instanceof Blob;
    const response = await fetch(this.url(path), {
      cache: "no-store",
      ...how,
      headers: { "content-type": file ? "application/octet-stream" : "application/json", ...headers },
      // A request that hangs must not hold up the ones behind it.
      signal: how.signal ?? AbortSignal.timeout(file ? 6 * PATIENCE_MS : PATIENCE_MS),
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const detail = typeof answer.detail === "string" ? answer.detail : `the desk answered ${response.status}`;
    throw Object.assign(new Error(detail), { status: response.status });
  }

  url(path) {
    return new URL(`widget/${path}`, this.#base);
  }
}
