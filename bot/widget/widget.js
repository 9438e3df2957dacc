// <script async src="HOST/widget.js" data-site-key="..."></script>
// A classic script, so that `async` needs no type="module". It makes `window.Deskhand`, answers what was called before it
// came, fetches the element, and puts it back when a page that navigates without loading throws it out.
(() => {
  const tag = document.currentScript ?? document.querySelector("script[src*='widget.js']");
  const early = window.Deskhand;
  if (!tag || early?.version) return;
  const version = "__VERSION__";
  const name = "deskhand-chat";
  const waiting = []; // calls before boot
  let chat = null;
  let made = false; // by us; what a page placed itself is the page's to move and to replace

  let loading; // one promise for all, which keeps the order of the calls
  const element = () => (loading ??= import(new URL(`widget/assets/${version}/element.js`, tag.src).href));
  const later = (call) => element().then(() => (chat ? call() : waiting.push(call)));

  function dress(options) {
    for (const [key, value] of Object.entries(options))
      if (key === "strings") {
        chat.strings = value;
        chat.setLocale();
      } else chat.setAttribute(key.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`), value);
  }

  function place() {
    if (!chat || chat.isConnected || !document.body) return;
    const other = document.querySelector(name);
    if (other) chat = other;
    else if (made) document.body.append(chat);
  }

  const api = {
    version,
    boot(options = {}) {
      element().then(() => {
        chat ??= document.querySelector(name);
        made ||= !chat;
        chat ??= document.createElement(name);
        dress(options);
        place();
        for (const call of waiting.splice(0)) call();
      });
    },
    update: (options) => later(() => dress(options)),
    shutdown() {
      element().then(() => {
        chat?.shutdown();
        chat = null;
        made = false;
      });
    },
    /** Returns what takes the handler away again. */
    on(what, handler) {
      const hear = ({ detail }) => handler(detail);
      document.addEventListener(`deskhand:${what}`, hear);
      return () => document.removeEventListener(`deskhand:${what}`, hear);
    },
  };
  for (const method of ["show", "hide", "toggle", "setUser", "setLocale", "setAttributes", "sendMessage"])
    api[method] = (...values) => later(() => chat[method](...values));
  window.Deskhand = Object.assign((method, ...values) => api[method](...values), api);
  for (const call of early?.q ?? []) window.Deskhand(...call);

  new MutationObserver(place).observe(document, { childList: true, subtree: true });
  const start = () => (tag.dataset.siteKey || document.querySelector(name)) && api.boot({ ...tag.dataset });
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start, { once: true });
})();
