// Builds DOM nodes without ever parsing HTML: data becomes text, or an attribute that this file has checked.

const SVG = "http://www.w3.org/2000/svg";
const SAFE = new Set(["http:", "https:", "mailto:"]);
const LINK = /\b(?:https?:\/\/|mailto:)[^\s<>"']+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+/gi;

const ICONS = {
  chat: "M12 4c4.7 0 8.5 3.2 8.5 7.2s-3.8 7.2-8.5 7.2c-1 0-2-.15-2.9-.43L4.8 19.8l1.1-3.5C4.4 15 3.5 13.2 3.5 11.2 3.5 7.2 7.3 4 12 4Z",
  close: "M6.5 6.500l11 11M17.5 6.500l-11 11",
  down: "M6 9.500l6 6 6-6",
  send: "M12 19V5.500M6 11.300l6-6 6 6",
  person: "M12 12a3.8 3.8 0 1 0 0-7.6 3.8 3.8 0 0 0 0 7.600ZM4.8 20c.6-3.7 3.5-5.5 7.2-5.500s6.6 1.8 7.2 5.5",
  up: "M7 11v8.500H4.500V11H7Zm0 0 4-7c1.5 0 2.3 1 2.1 2.400L12.7 9.500h5.200c1.3 0 2.2 1.2 1.9 2.400l-1.5 6c-.2.9-1 1.6-2 1.600H7",
  thumbdown:
    "M7 13V4.500H4.500V13H7Zm0 0 4 7c1.5 0 2.3-1 2.1-2.400l-.4-3.100h5.200c1.3 0 2.2-1.2 1.9-2.400l-1.5-6c-.2-.9-1-1.6-2-1.600H7",
  spark:
    "M12 3.500l1.9 5.200a2.3 2.3 0 0 0 1.4 1.400l5.2 1.9-5.2 1.900a2.3 2.3 0 0 0-1.4 1.400L12 20.500l-1.9-5.200a2.3 2.3 0 0 0-1.4-1.400L3.5 12l5.2-1.900a2.3 2.3 0 0 0 1.4-1.400L12 3.500Z",
  source:
    "M9.5 14.500l5-5M10.5 6.800l1.3-1.300a4.7 4.7 0 0 1 6.7 6.700l-1.3 1.300M13.5 17.200l-1.3 1.300a4.7 4.7 0 0 1-6.7-6.700l1.3-1.3",
};

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

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
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
