// The log: what was said, as nodes. One node a message id, so that a message seen twice is still there once.

import { h, icon, link, linked, safeUrl } from "./dom.js";
import { say } from "./strings.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

const initials = (name) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();

function day(at) {
  const date = new Date(at * 1000);
  return date.toDateString() === new Date().toDateString() ? say("today") : calendar.format(date);
}

export class Messages {
  node = h("div", {
    class: "log",
    part: "log",
    role: "log",
    tabindex: "0",
    "aria-label": say("log"),
    "aria-relevant": "additions",
  });
  #act;
  #byId = new Map();
  #lastDay = "";
  #atEnd = true;
  #end = h("div", { class: "end" });

  /** act: {choose(button), retry(id), rate(id, rating) -> Promise<boolean>} */
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
    const row = this.#row("bot", say("assistant"), text);
    this.#byId.set("greeting", row);
    this.node.prepend(row);
    if (starters.length && this.#byId.size === 1) this.#choices(starters.map((title) => ({ title })));
  }

  add(event) {
    if (event.kind === "rating") return this.#showRating(event.in_reply_to, event.rating);
    if (event.kind === "notice") return this.#notice(event);
    this.#dayOf(event.at);
    const row = event.kind === "customer" ? this.#confirm(event) : this.#said(event);
    this.#dropChoices();
    if (event.buttons?.length) this.#choices(event.buttons);
    return row;
  }

  /** A message on its way, or one that did not get there. */
  pending({ id, text, title, state, reason, at }) {
    let row = this.#byId.get(id);
    if (!row) {
      this.#dayOf(at);
      this.#dropChoices();
      row = this.#row("customer", say("you"), title || text);
      this.#byId.set(id, row);
      this.node.append(row);
    }
    row.dataset.state = state;
    this.#foot(row, ...this.#state(id, state, reason));
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

  #state(id, state, reason) {
    if (state === "sending") return [h("span", { class: "soft" }, say("sending"))];
    if (state === "sent") return [h("span", {}, say("sent"))];
    const again = h("button", { type: "button", class: "again", click: () => this.#act.retry(id) }, say("retry"));
    const why = reason && ` ${reason[0].toUpperCase()}${reason.slice(1)}.`;
    return [h("span", { class: "bad" }, say("failed"), why), again];
  }

  #confirm(event) {
    let row = this.#byId.get(event.id);
    if (!row) {
      row = this.#row("customer", say("you"), event.text);
      this.#byId.set(event.id, row);
    }
    row.dataset.state = "sent";
    this.#place(row);
    this.#foot(row, h("span", {}, say("sent")), this.#time(event.at));
    return row;
  }

  #said(event) {
    const person = event.kind === "person" ? event.person : "";
    const row = this.#row(event.kind, person || say("assistant"), event.text, person);
    if (event.id) this.#byId.set(event.id, row);
    if (event.citations?.length) row.querySelector(".bubble").append(this.#sources(event.citations));
    const foot = [this.#time(event.at)];
    if (event.ratable) foot.unshift(this.#thumbs(event.id));
    this.#place(row);
    this.#foot(row, ...foot);
    return row;
  }

  /** Said and stored stands before the end mark, in the desk's order; what is on its way stands after it. */
  #place(row) {
    if (this.#end.nextElementSibling === row)
      row.after(this.#end); // the row stays, so that it is not read out again
    else this.#end.before(row);
  }

  #row(kind, author, text, person = "") {
    const face =
      kind === "customer"
        ? null
        : h("span", { class: "face", "aria-hidden": "true" }, person ? initials(person) : icon("spark"));
    const name = h("span", { class: person ? "name" : "hidden" }, author);
    const bubble = h("div", { class: "bubble", part: `bubble ${kind}` }, h("p", { dir: "auto" }, linked(text ?? "")));
    const foot = h("div", { class: "foot", "aria-live": "off" });
    return h("div", { class: `message ${kind}` }, face, h("div", { class: "body" }, name, bubble, foot));
  }

  #foot(row, ...nodes) {
    row.querySelector(".foot").replaceChildren(...nodes);
  }

  #time(at) {
    return h("time", { datetime: new Date(at * 1000).toISOString() }, clock.format(at * 1000));
  }

  #sources(citations) {
    const items = citations.map(({ title, url }) => {
      const address = url && safeUrl(url);
      const label = [icon("source"), h("span", {}, title || url)];
      return h("li", {}, address ? link(address, ...label) : h("span", {}, ...label));
    });
    return h("ul", { class: "sources", "aria-label": say("sources") }, items);
  }

  #thumbs(id) {
    const button = (name, rating, label) =>
      h(
        "button",
        {
          type: "button",
          class: "thumb",
          "data-rating": rating,
          "aria-pressed": "false",
          "aria-label": say(label),
          title: say(label),
          click: () => this.#rate(id, rating),
        },
        icon(name),
      );
    return h("span", { class: "thumbs" }, button("up", 1, "helpful"), button("thumbdown", -1, "unhelpful"));
  }

  async #rate(id, rating) {
    this.#showRating(id, rating);
    if (!(await this.#act.rate(id, rating))) this.#showRating(id, 0);
  }

  #showRating(id, rating) {
    for (const thumb of this.#byId.get(id)?.querySelectorAll(".thumb") ?? [])
      thumb.setAttribute("aria-pressed", String(Number(thumb.dataset.rating) === rating));
  }

  #choices(buttons) {
    const choose = (button) => () => (this.#dropChoices(), this.#act.choose(button));
    const items = buttons.map((button) =>
      h("button", { type: "button", class: "choice", part: "choice", click: choose(button) }, button.title),
    );
    this.node.append(h("div", { class: "choices", role: "group", "aria-label": say("choices") }, items));
  }

  #dropChoices() {
    this.node.querySelector(".choices")?.remove();
  }

  #notice({ notice, person, at }) {
    this.#dayOf(at);
    const text = say(notice === "waiting" ? "waitingNotice" : notice, { person });
    this.#end.before(h("div", { class: "notice" }, h("span", {}, text)));
  }

  #dayOf(at) {
    const name = day(at);
    if (name === this.#lastDay) return;
    this.#lastDay = name;
    this.#end.before(h("div", { class: "day" }, h("span", {}, name)));
  }
}
