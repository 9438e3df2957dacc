// The log: what was said, as nodes. One node a message id, so that a message seen twice is still there once.

import { button, face, h, icon, link, linked, safeUrl } from "./dom.js";
import { question, score } from "./forms.js";
import { say, when } from "./strings.js";

const CLOCK = { hour: "numeric", minute: "2-digit" };
const CALENDAR = { weekday: "long", day: "numeric", month: "long" };
const STEPS = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

function day(at) {
  const today = new Date(at * 1000).toDateString() === new Date().toDateString();
  return today ? say("today") : when(at, CALENDAR);
}

const isImage = ({ type }) => type?.startsWith("image");

export class Messages {
  node = h("div", {
    class: "log",
    part: "log",
    role: "log",
    tabindex: "0",
    "aria-label": say("log"),
    "aria-relevant": "additions",
    keydown: (event) => this.#walk(event),
  });
  #act;
  #byId = new Map();
  #lastDay = "";
  #atEnd = true;
  #end = h("div", { class: "end" });

  /** act: {choose(button), retry(id), rate(id, rating, comment), asksScore(), score(body), picture(person),
   * url(path)}; `rate` and `score` return a Promise of whether it arrived. */
  constructor(act) {
    this.#act = act;
    this.node.append(this.#end);
    this.node.addEventListener("scroll", () => (this.#atEnd = this.#below() < 60));
    new ResizeObserver(() => this.follow()).observe(this.node);
  }

  clear() {
    this.#byId.clear();
    this.#lastDay = "";
    this.node.replaceChildren(this.#end);
  }

  /** The greeting is the desk's first message; it is no event, so it has no rating. */
  greet(text, starters) {
    if (this.#byId.has("greeting")) return;
    const row = this.#row("bot", say("assistant"), { text });
    this.#byId.set("greeting", row);
    this.node.prepend(row);
    if (starters.length && this.#byId.size === 1) this.#choices(starters.map((title) => ({ title })));
  }

  add(event) {
    if (event.kind === "rating") return this.#showRating(event.in_reply_to, event.rating);
    if (event.kind === "score") return this.#drop(".score");
    if (event.kind === "seen") return this.read();
    if (event.kind === "notice") return this.#notice(event);
    this.#dayOf(event.at);
    if (event.kind === "customer") this.#confirm(event);
    else this.#said(event);
    this.#drop(".choices, .score");
    if (event.buttons?.length) this.#choices(event.buttons);
  }

  /** A reply whose turn still goes on: seen, and announced only when it is whole. */
  draft(event) {
    if (this.#byId.has(event.id)) return;
    const row = this.#row(event.kind, say("assistant"), event);
    row.dataset.draft = event.id;
    row.setAttribute("aria-hidden", "true");
    const before = this.#drafted(event);
    row.classList.toggle("still", Boolean(before));
    if (before) before.replaceWith(row);
    else this.node.append(row);
    this.follow();
  }

  #drafted({ id }) {
    return this.node.querySelector(`[data-draft="${CSS.escape(id)}"]`);
  }

  /** A message on its way, or one that did not get there. */
  pending(item) {
    let row = this.#byId.get(item.id);
    if (!row) {
      this.#dayOf(item.at);
      this.#drop(".choices, .score");
      const files = item.file ? [item.file] : item.files;
      row = this.#row("customer", say("you"), { text: item.title || item.text, files });
      this.#byId.set(item.id, row);
      this.node.append(row);
    }
    row.dataset.state = item.state;
    this.#foot(row, ...this.#state(item));
  }

  /** Somebody at the desk has seen all that the customer said. */
  read() {
    for (const row of this.node.querySelectorAll("[data-state=sent]")) {
      row.dataset.state = "read";
      row.querySelector(".state").textContent = say("read");
    }
  }

  scroll() {
    this.#atEnd = true;
    this.node.scrollTop = this.node.scrollHeight;
  }

  /** To the end, unless the customer has gone back to read something. */
  follow() {
    if (this.#atEnd) this.scroll();
  }

  #below() {
    return this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight;
  }

  /** Arrow keys go from message to message. */
  #walk(event) {
    const step = STEPS[event.key];
    const at = event.target.closest(".message");
    if (!step || (event.target !== this.node && event.target !== at)) return;
    event.preventDefault();
    const rows = [...this.node.querySelectorAll(".message")];
    const next = (at ? rows.indexOf(at) : rows.length) + step;
    rows[Math.max(0, Math.min(rows.length - 1, next))]?.focus();
  }

  #state({ id, state, reason }) {
    if (state === "sending" || state === "sent") return [h("span", { class: "state" }, say(state))];
    const again = h("button", { type: "button", class: "again", click: () => this.#act.retry(id) }, say("retry"));
    const why = reason && ` ${reason[0].toUpperCase()}${reason.slice(1)}.`;
    return [h("span", { class: "bad" }, say("failed"), why), again];
  }

  #confirm(event) {
    let row = this.#byId.get(event.id);
    if (!row) {
      row = this.#row("customer", say("you"), event);
      this.#byId.set(event.id, row);
    } else if (event.files) row.querySelector(".bubble").replaceChildren(...this.#content(event));
    row.dataset.state = "sent";
    this.#place(row);
    this.#foot(row, h("span", { class: "state" }, say("sent")), this.#time(event.at));
  }

  #said(event) {
    const person = event.kind === "person" ? event.person : "";
    const row = this.#row(event.kind, person || say("assistant"), event, person);
    row.classList.toggle("still", Boolean(this.#drafted(event)));
    this.#drop("[data-draft]");
    if (event.id) this.#byId.set(event.id, row);
    this.read();
    this.#place(row);
    this.#foot(row, event.ratable && this.#thumbs(event.id), this.#time(event.at));
  }

  /** Said and stored stands before the end mark, in the desk's order; what is on its way stands after it. */
  #place(row) {
    if (this.#end.nextElementSibling === row)
      row.after(this.#end); // the row stays, so that it is not read out again
    else this.#end.before(row);
  }

  #row(kind, author, event, person = "") {
    const bubble = h("div", { class: "bubble", part: `bubble ${kind}` }, this.#content(event));
    const name = h("div", { class: person ? "name" : "hidden" }, person || `${author}:`);
    const body = h("div", { class: "body" }, name, bubble.hasChildNodes() && bubble, h("div", { class: "foot" }));
    if (event.cards) body.insertBefore(this.#cards(event.cards), body.lastChild);
    return h(
      "div",
      { class: `message ${kind}`, tabindex: "-1" },
      kind !== "customer" && face(person, this.#act.picture(person)),
      body,
    );
  }

  #content({ text, image, files, citations }) {
    return [
      text && h("p", { dir: "auto" }, linked(text)),
      image && this.#file({ name: "", type: "image", url: image }),
      ...(files ?? []).map((file) => this.#file(file)),
      citations?.length && this.#sources(citations),
    ].filter(Boolean);
  }

  #file(file) {
    const address = file.url && safeUrl(file.url, this.#act.url("/"));
    if (address && isImage(file))
      return link(address, h("img", { src: address, alt: file.name || say("image"), load: () => this.follow() }));
    const shown = [icon("file"), h("span", { dir: "auto" }, file.name)];
    const node = address ? link(address, ...shown) : h("span", {}, ...shown);
    node.className = "file";
    return node;
  }

  #cards(cards) {
    const items = cards.map(({ title, subtitle, image, url, buttons }) => {
      const [picture, address] = [image, url].map((one) => one && safeUrl(one));
      return h(
        "li",
        { class: "card", part: "card" },
        picture && h("img", { src: picture, alt: "", load: () => this.follow() }),
        h("p", { class: "title", dir: "auto" }, address ? link(address, title) : title),
        subtitle && h("p", { dir: "auto" }, subtitle),
        buttons.map((one) => {
          const target = one.url && safeUrl(one.url);
          const node = target ? link(target, one.title) : button("", () => this.#act.choose(one), one.title);
          node.className = "choice";
          return node;
        }),
      );
    });
    return h("ul", { class: "cards", tabindex: "0", "aria-label": say("cards") }, items);
  }

  #foot(row, ...nodes) {
    row.querySelector(".foot").replaceChildren(...nodes.filter(Boolean));
  }

  #time(at) {
    return h("time", { datetime: new Date(at * 1000).toISOString() }, when(at, CLOCK));
  }

  /** What an answer rests on: a link, or when the passage is there, a part that opens. */
  #sources(citations) {
    const items = citations.map(({ title, url, quote }) => {
      const address = url && safeUrl(url);
      const shown = [icon("source"), h("span", { dir: "auto" }, title || address)];
      if (!quote) return h("li", {}, address ? link(address, ...shown) : h("span", {}, ...shown));
      const more = [h("p", { dir: "auto" }, quote), address && link(address, say("openSource"))];
      return h("li", {}, h("details", {}, h("summary", {}, ...shown), ...more));
    });
    return h("ul", { class: "sources", "aria-label": say("sources") }, items);
  }

  #thumbs(id) {
    const thumb = (turn, rating, label) =>
      button(`thumb ${turn}`, () => this.#rate(id, rating), icon("up"), say(label), {
        "data-rating": rating,
        "aria-pressed": "false",
      });
    return h("span", { class: "thumbs" }, thumb("", 1, "helpful"), thumb("turned", -1, "unhelpful"));
  }

  async #rate(id, rating) {
    this.#showRating(id, rating);
    if (!(await this.#act.rate(id, rating))) return this.#showRating(id, 0);
    this.#drop(".comment");
    const ask = question(say("comment"), async (comment) => {
      if (!comment || (await this.#act.rate(id, rating, comment))) this.#drop(".comment");
    });
    this.#byId.get(id)?.querySelector(".body").append(ask);
    this.follow();
  }

  #showRating(id, rating) {
    for (const thumb of this.#byId.get(id)?.querySelectorAll(".thumb") ?? [])
      thumb.setAttribute("aria-pressed", String(Number(thumb.dataset.rating) === rating));
  }

  #choices(buttons) {
    const choose = (one) => () => (this.#drop(".choices"), this.#act.choose(one));
    const items = buttons.map((one) =>
      h("button", { type: "button", class: "choice", part: "choice", click: choose(one) }, one.title),
    );
    this.node.append(h("div", { class: "choices", role: "group", "aria-label": say("choices") }, items));
  }

  #drop(selector) {
    const { activeElement } = this.node.getRootNode();
    for (const node of this.node.querySelectorAll(selector)) {
      if (activeElement && node.contains(activeElement)) this.node.focus({ preventScroll: true }); // or it is nowhere
      node.remove();
    }
  }

  #notice({ notice, person, at }) {
    this.#dayOf(at);
    const text = say(notice === "waiting" ? "waitingNotice" : notice, { person });
    this.#end.before(h("div", { class: "notice" }, h("span", {}, text)));
    this.#drop(".score");
    if (notice === "joined") this.read();
    if (notice === "closed" && this.#act.asksScore()) this.#end.after(score((body) => this.#act.score(body)));
  }

  #dayOf(at) {
    const name = day(at);
    if (name === this.#lastDay) return;
    this.#lastDay = name;
    this.#end.before(h("div", { class: "day" }, h("span", {}, name)));
  }
}
