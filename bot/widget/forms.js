// What a customer fills in besides messages: the form before a chat, a comment on an answer, the score at the end.

import { button, h, icon } from "./dom.js";
import { say } from "./strings.js";

const submitting = (act) => (event) => {
  event.preventDefault();
  act(Object.fromEntries(new FormData(event.target)));
};

/** One optional line of text, for a comment. */
export function question(label, act) {
  return h(
    "form",
    { class: "comment", submit: submitting(({ comment }) => act(comment.trim())) },
    h("input", { name: "comment", "aria-label": label, placeholder: label, maxlength: 2000, dir: "auto" }),
    h("button", { class: "choice" }, say("send")),
  );
}

/** Five stars, which are radio buttons, and a comment; `act({score, comment})`. */
export function score(act) {
  const star = (count) =>
    h(
      "label",
      { class: "star" },
      h("input", { type: "radio", name: "score", value: count, required: true, "aria-label": say("stars", { count }) }),
      icon("star"),
    );
  const stars = h("fieldset", {}, h("legend", {}, say("score")), [1, 2, 3, 4, 5].map(star));
  const label = say("comment");
  return h(
    "form",
    { class: "score box", submit: submitting((said) => act({ ...said, score: Number(said.score) })) },
    stars,
    h("textarea", { name: "comment", rows: 2, "aria-label": label, placeholder: label, maxlength: 2000, dir: "auto" }),
    h("button", { class: "primary" }, say("send")),
  );
}

/** fields: {name, label, type: text | email | tel | select, required, options}; `act(values)`. */
export function prechat(fields, act) {
  const rows = fields.map(({ name, label, type, required, options }) => {
    const given = { name, required, maxlength: 300 };
    const field =
      type === "select"
        ? h("select", given, h("option", { value: "" }), options.map((option) => h("option", {}, option)))
        : h("input", { ...given, type, autocomplete: { email: "email", tel: "tel" }[type] ?? "on", dir: "auto" });
    return h("label", {}, h("span", {}, label, required && " *"), field);
  });
  return h("form", { class: "box", submit: submitting(act) }, rows, h("button", { class: "primary" }, say("start")));
}

/** threads: {thread, title, at, unread}; `open(thread)`, and `open()` for a new one. */
export function threadList(threads, when, open) {
  const items = threads.map(({ thread, title, at, unread }) =>
    h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "thread", click: () => open(thread) },
        h("span", { dir: "auto" }, title),
        unread && h("b", {}, say("unread")),
        h("time", {}, when(at, { dateStyle: "medium", timeStyle: "short" })),
      ),
    ),
  );
  return h(
    "div",
    { class: "list" },
    h("h2", {}, say("threads")),
    h("ul", {}, items),
    button("primary", () => open(), say("newThread")),
  );
}
