// The launcher and the panel as nodes; what they do is told by the element.

import { h, icon } from "./dom.js";
import { say } from "./strings.js";

/** Every node that the element works with, by name; `log` is the node of the messages, `on` the handlers. */
export function panelParts(log, on) {
  const title = h("div", { class: "title" });
  const status = h("div", { class: "status" });
  const line = h("div", { class: "line", role: "status", hidden: true });
  const dots = h("div", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  const typing = h(
    "div",
    { class: "typing", hidden: true },
    h("span", { class: "face", "aria-hidden": "true" }, icon("spark")),
    dots,
  );
  const heard = h("div", { class: "hidden", role: "status" });
  const composer = h("textarea", {
    rows: "1",
    "aria-label": say("write"),
    placeholder: say("write"),
    enterkeyhint: "send",
    input: on.typed,
    keydown: on.typedKey,
  });
  const send = h(
    "button",
    { type: "submit", class: "send", part: "send", disabled: true, "aria-label": say("send") },
    icon("send"),
  );
  const alert = h("div", { class: "alert", role: "alert", hidden: true });
  const person = h(
    "button",
    { type: "button", class: "person-button", part: "person-button", click: on.askPerson },
    icon("person"),
    h("span", {}, say("askPerson")),
  );
  const form = h(
    "form",
    { class: "composer", submit: on.submit },
    h("div", { class: "field" }, composer, send),
    alert,
    h("div", { class: "below" }, person),
  );
  const close = h(
    "button",
    { type: "button", class: "quiet", "aria-label": say("close"), click: on.close },
    icon("close"),
  );
  const header = h(
    "div",
    { class: "header", part: "header" },
    h("span", { class: "face", "aria-hidden": "true" }, icon("spark")),
    h("div", { class: "titles" }, title, status),
    close,
  );
  const panel = h(
    "div",
    { class: "panel", part: "panel", role: "dialog", hidden: true, keydown: on.panelKey },
    header,
    line,
    log,
    typing,
    heard,
    form,
  );
  const badge = h("span", { class: "badge", "aria-hidden": "true", hidden: true });
  const glyph = h("span", {}, icon("chat"));
  const launcher = h(
    "button",
    { type: "button", class: "launcher", part: "launcher", "aria-expanded": "false", click: on.toggle },
    glyph,
    badge,
  );
  const root = h("div", { class: "root" }, panel, launcher);
  return { root, panel, title, status, line, typing, heard, composer, send, alert, person, launcher, badge, glyph };
}
