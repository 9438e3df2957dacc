// The conversation as a text file.

import { h } from "./dom.js";
import { say, when } from "./strings.js";

const AUTHORS = { customer: () => say("you"), bot: () => say("assistant"), person: ({ person }) => person };

export function save(title, greeting, events) {
  const lines = events
    .filter(({ kind }) => AUTHORS[kind])
    .map((event) => {
      const said = [event.text, ...(event.files ?? []).map((file) => file.name)].filter(Boolean).join(" ");
      return `[${when(event.at, { dateStyle: "short", timeStyle: "short" })}] ${AUTHORS[event.kind](event)}: ${said}`;
    });
  const file = new Blob([[title, greeting, ...lines].join("\n")], { type: "text/plain" });
  const href = URL.createObjectURL(file);
  h("a", { href, download: "chat.txt" }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
