// <script async src="HOST/widget.js" data-site-key="..."></script>
// The loader: a classic script, so that `async` needs no type="module". It reads its own tag and fetches the element.
(() => {
  const tag = document.currentScript ?? document.querySelector("script[data-site-key]");
  if (!tag || window.deskhandLoaded) return;
  window.deskhandLoaded = true;
  const version = "__VERSION__";

  async function place() {
    await import(new URL(`widget/assets/${version}/element.js`, tag.src).href);
    const chat = document.createElement("deskhand-chat");
    for (const name of ["site-key", "theme", "position"]) {
      const value = tag.getAttribute(`data-${name}`);
      if (value) chat.setAttribute(name, value);
    }
    if (!document.querySelector("deskhand-chat")) document.body.append(chat);
  }

  if (document.body) place();
  else document.addEventListener("DOMContentLoaded", place, { once: true });
})();
