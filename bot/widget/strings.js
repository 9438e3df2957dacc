// What the widget says by itself, in the one language that this customer reads; locales/ has the words.

const LOCALES = ["en", "zh-CN", "es", "fr", "de", "ar"];
let strings = {};
export let locale = "en";

/** The language of ours for `wanted`, or for the page and then the browser when that is "auto". */
function choose(wanted) {
  const asked = wanted === "auto" ? [document.documentElement.lang, ...navigator.languages] : [wanted];
  for (const name of asked) {
    const language = name.toLowerCase().split("-")[0];
    const found = LOCALES.find((ours) => ours.toLowerCase().split("-")[0] === language);
    if (language && found) return found;
  }
  return "en";
}

/** From now on everything is said in this language; `own` are words that replace ours. */
export async function speak(wanted, own) {
  locale = choose(wanted);
  const words = await import(`./locales/${locale}.js`);
  strings = { ...words.default, ...own };
}

export function say(key, values = {}) {
  return strings[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A time as people of this visitor's country write it, in the language of the chat. */
export function when(at, how) {
  const [language] = locale.split("-");
  const country = navigator.languages.find((name) => name.split("-")[0] === language);
  return new Intl.DateTimeFormat(country ?? locale, how).format(at * 1000);
}
