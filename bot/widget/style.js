// One constructable sheet: no <style> tag, so that a page with a strict Content-Security-Policy can hold the widget.

const css = "__CSS__"; // style.css

export const sheet = new CSSStyleSheet();
sheet.replaceSync(css);
