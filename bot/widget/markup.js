// The launcher and the panel as nodes; what they do is told by the element.

import { button, face, h, icon } from "./dom.js";
import { say } from "./strings.js";

/** Every node that the element works with, by name; `log` is the node of the messages, `on` the handlers. */
export function panelParts(log, on) {
  const title = h("h1", { class: "title" });
  const status = h("div", { class: "status" });
  const line = h("div", { class: "line", role: "status", hidden: true });
  const away = h("div", { class: "line away", hidden: true });
  const who = h("span", { class: "who" });
  const dots = h("div", { class: "dots" }, h("i"), h("i"), h("i"));
  const typing = h("div", { class: "typing", "aria-hidden": "true", hidden: true }, who, dots);
  const heard = h("div", { class: "hidden", role: "status" });
  const composer = h("textarea", {
    rows: "1",
    "aria-label": say("write"),
    placeholder: say("write"),
    enterkeyhint: "send",
    dir: "auto",
    input: on.typed,
    keydown: on.typedKey,
    paste: (event) => on.files(event.clipboardData.files),
  });
  const send = h(
    "button",
    { type: "submit", class: "send", part: "send", disabled: true, "aria-label": say("send") },
    icon("send"),
  );
  const picker = h("input", { type: "file", hidden: true, multiple: true, change: () => on.files(picker.files) });
  const attach = button("quiet", () => picker.click(), icon("clip"), say("attach"), { hidden: true });
  const alert = h("div", { class: "alert", role: "alert", hidden: true });
  const person = h(
    "button",
    { type: "button", class: "person-button", part: "person-button", click: on.askPerson },
    icon("person"),
    h("span", {}, say("askPerson")),
  );
  const field = h("div", { class: "field" }, attach, picker, composer, send);
  const form = h("form", { class: "composer", submit: on.submit }, field, alert, h("div", { class: "below" }, person));
  const items = ["newThread", "threads", "transcript", "end"];
  const menu = h("div", { class: "menu", hidden: true }, items.map((name) => button("item", on[name], say(name))));
  const more = button("quiet more", on.menu, icon("more"), say("menu"), { "aria-expanded": "false" });
  const back = button("quiet back", on.back, icon("back"), say("back"), { hidden: true });
  const close = button("quiet", on.close, icon("close"), say("close"));
  const sign = h("span", { class: "sign" }, face());
  const header = h(
    "div",
    { class: "header", part: "header" },
    back,
    sign,
    h("div", { class: "titles" }, title, status),
    more,
    close,
    menu,
  );
  const page = h("div", { class: "page", hidden: true });
  const panel = h(
    "div",
    {
      class: "panel",
      part: "panel",
      role: "dialog",
      hidden: true,
      keydown: on.panelKey,
      keyup: (event) => event.stopPropagation(),
      keypress: (event) => event.stopPropagation(),
      dragover: (event) => event.preventDefault(),
      drop: (event) => (event.preventDefault(), on.files(event.dataTransfer.files)),
    },
    header,
    away,
    line,
    page,
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
  const preview = h("div", { class: "preview", part: "preview", role: "status", hidden: true });
  const root = h("div", { class: "root" }, panel, preview, launcher);
  return {
    root, panel, title, status, sign, line, away, who, typing, heard, composer, send, attach, picker, alert, person,
    field, menu, more, back, page, log, launcher, badge, glyph, preview,
  };
}
