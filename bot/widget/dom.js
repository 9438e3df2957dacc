// Builds DOM nodes without ever parsing HTML: data becomes text, or an attribute that this file has checked.

const SVG = "http://www.w3.org/2000/svg";
const SAFE = new Set(["http:", "https:", "mailto:"]);
const LINK = /\b(?:https?:\/\/|mailto:)[^\s<>"']+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+/gi;

const ICONS = {
  chat: "M12 4c4.7 0 8.5 3.2 8.5 7.2s-3.8 7.2-8.5 7.2c-1 0-2-.15-2.9-.43L4.8 19.8l1.1-3.5C4.4 15 3.5 13.2 3.5 11.2 3.5 7.2 7.3 4 12 4Z",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  down: "M6 9.5l6 6 6-6",
  back: "M14.5 6l-6 6 6 6",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  clip: "M18.5 11.5l-6.4 6.4a4 4 0 0 1-5.7-5.7l6.7-6.7a2.7 2.7 0 0 1 3.8 3.8l-6.6 6.6a1.3 1.3 0 0 1-1.9-1.9l6-6",
  file: "M7 3.5h6.5L18 8v12.5H7zM13 4v4.5h4.5",
  star: "M12 4.5l2.3 4.9 5.2.7-3.8 3.7.9 5.3-4.6-2.6-4.6 2.6.9-5.3-3.8-3.7 5.2-.7Z",
  send: "M12 19V5.5M6 11.3l6-6 6 6",
  person: "M12 12a3.8 3.8 0 1 0 0-7.6 3.8 3.8 0 0 0 0 7.6ZM4.8 20c.6-3.7 3.5-5.5 7.2-5.5s6.6 1.8 7.2 5.5",
  up: "M7 11v8.5H4.5V11H7Zm0 0 4-7c1.5 0 2.3 1 2.1 2.4L12.7 9.5h5.2c1.3 0 2.2 1.2 1.9 2.4l-1.5 6c-.2.9-1 1.6-2 1.6H7",
  spark:
    "M12 3.5l1.9 5.2a2.3 2.3 0 0 0 1.4 1.4l5.2 1.9-5.2 1.9a2.3 2.3 0 0 0-1.4 1.4L12 20.5l-1.9-5.2a2.3 2.3 0 0 0-1.4-1.4L3.5 12l5.2-1.9a2.3 2.3 0 0 0 1.4-1.4L12 3.5Z",
  source:
    "M9.5 14.5l5-5M10.5 6.8l1.3-1.3a4.7 4.7 0 0 1 6.7 6.7l-1.3 1.3M13.5 17.2l-1.3 1.3a4.7 4.7 0 0 1-6.7-6.7l1.3-1.3",
};

/** An element; functions among the attributes are listeners, `true` is an attribute without a value. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

/** A button that shows `content`; a `label` is its name when the content is only a picture. */
export function button(kind, click, content, label, more = {}) {
  return h("button", { type: "button", class: kind, click, "aria-label": label, title: label, ...more }, content);
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

const initials = (name) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();

/** A picture of who speaks: the person's own, their initials, or the assistant's sign. */
export function face(person, picture) {
  const node = h("span", { class: "face", "aria-hidden": "true" }, person ? initials(person) : icon("spark"));
  const address = person && picture && safeUrl(picture);
  if (address) node.append(h("img", { src: address, alt: "", error: (event) => event.target.remove() }));
  return node;
}

/** The address as the browser reads it, or null when it is nothing that a customer should be able to open. */
export function safeUrl(address, base) {
  try {
    const url = new URL(address, base);
    return SAFE.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function link(address, ...children) {
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

/** Text as nodes, with web and mail addresses as links. */
export function linked(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = match[0].replace(/[.,;:!?)\]]+$/, "");
    const url = safeUrl(/^(https?:|mailto:)/i.test(shown) ? shown : `mailto:${shown}`);
    if (!url) continue;
    nodes.push(text.slice(end, match.index), link(url, shown));
    end = match.index + shown.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

const STOPS = "button:not(:disabled), textarea, input, select, summary, a[href], [tabindex='0']";

/** Keeps the Tab key within `panel`, which covers the page on a small screen. */
export function trap(event, panel) {
  const stops = [...panel.querySelectorAll(STOPS)].filter((node) => node.offsetParent);
  const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
  if (panel.getRootNode().activeElement !== from) return;
  event.preventDefault();
  to.focus();
}
