// One constructable sheet: no <style> tag, so that a page with a strict Content-Security-Policy can hold the widget.

const css = `
:host { all: initial; }
.root {
  --accent: var(--deskhand-accent, #0d6b5a); --on-accent: var(--deskhand-on-accent, #fff);
  --paper: #fff; --ground: #f6f7f5; --ink: #1b2421; --soft: #5b6763; --line: #e1e6e3; --bubble: #fff; --bad: #b3261e;
  --tint: #e3f0ec; --on-tint: #0a5446; --shade: 0 1px 2px rgb(20 40 34 / .06), 0 2px 8px rgb(20 40 34 / .05);
  all: initial; position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: var(--deskhand-z, 2147483000);
  font: 400 15px/1.5 var(--deskhand-font, Inter, -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
  color: var(--ink); color-scheme: light; -webkit-text-size-adjust: 100%; -webkit-font-smoothing: antialiased;
}
.root[data-position=left] { inset-inline: 20px auto; }
.root[data-theme=dark] {
  --accent: var(--deskhand-accent, #1a7f6b); --on-accent: var(--deskhand-on-accent, #fff);
  --paper: #171d1b; --ground: #111614; --ink: #e9efec; --soft: #9aa8a3; --line: #2b3431; --bubble: #1f2724; --bad: #ffb4ab;
  --tint: #1c352e; --on-tint: #9be5d1; --shade: 0 1px 2px rgb(0 0 0 / .3);
  color-scheme: dark;
}
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, textarea { font: inherit; color: inherit; background: none; border: 0; margin: 0; padding: 0; }
button { cursor: pointer; -webkit-tap-highlight-color: transparent; touch-action: manipulation; }
button:disabled { cursor: default; }
p, ul { margin: 0; padding: 0; list-style: none; }
svg { width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; flex: none; display: block; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.launcher {
  position: relative; display: grid; place-items: center; width: 60px; height: 60px; margin-inline-start: auto; border-radius: 50%;
  background: var(--accent); color: var(--on-accent); border: 1px solid transparent;
  box-shadow: 0 2px 6px rgb(10 40 33 / .2), 0 10px 28px rgb(10 40 33 / .26); transition: transform .18s ease, box-shadow .18s ease;
}
.launcher:hover { transform: translateY(-2px); }
.launcher:active { transform: scale(.96); }
.launcher svg { width: 27px; height: 27px; }
.root[data-position=left] .launcher { margin-inline: 0 auto; }
.badge {
  position: absolute; inset-block-start: -3px; inset-inline-end: -3px; min-width: 22px; height: 22px; padding: 0 6px; border-radius: 11px;
  border: 2px solid var(--paper); background: #c4321f; color: #fff; font-size: 12px; font-weight: 600; line-height: 18px; text-align: center;
}

.panel {
  position: absolute; inset-block-end: 76px; inset-inline-end: 0; display: flex; flex-direction: column; overflow: hidden;
  width: 392px; max-width: calc(100vw - 40px); height: min(660px, 100vh - 116px); height: min(660px, 100dvh - 116px);
  background: var(--ground); border: 1px solid var(--line); border-radius: var(--deskhand-radius, 20px);
  box-shadow: 0 4px 12px rgb(10 30 25 / .08), 0 24px 64px rgb(10 30 25 / .22); transform-origin: 100% 100%; animation: rise .22s cubic-bezier(.2, .9, .3, 1.1);
}
.root[data-position=left] .panel { inset-inline: 0 auto; transform-origin: 0 100%; }
@keyframes rise { from { opacity: 0; transform: translateY(14px) scale(.97); } }

.header { display: flex; align-items: center; gap: 12px; padding: 14px 12px 14px 16px; background: var(--paper); border-block-end: 1px solid var(--line); }
.header .face { width: 40px; height: 40px; border-radius: 13px; background: var(--accent); color: var(--on-accent); }
.header .face svg { width: 22px; height: 22px; }
.titles { flex: 1; min-width: 0; }
.title { font-size: 16px; font-weight: 650; line-height: 1.3; letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.status { display: flex; align-items: center; gap: 7px; color: var(--soft); font-size: 13px; line-height: 1.4; }
.status::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: #2ea36f; flex: none; }
.status[data-mode=waiting]::before { background: #d9932a; animation: breathe 1.6s ease-in-out infinite; }
.status[data-mode=closed]::before, .status[data-mode=off]::before { background: var(--soft); }
@keyframes breathe { 50% { opacity: .35; } }
.quiet { display: grid; place-items: center; width: 36px; height: 36px; border-radius: 11px; color: var(--soft); }
.quiet:hover { background: var(--ground); color: var(--ink); }

.line { padding: 7px 16px; background: var(--tint); color: var(--on-tint); font-size: 13px; text-align: center; }

.log { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 18px 16px 10px; scrollbar-width: thin; scrollbar-color: var(--line) transparent; }
.log:focus-visible { outline-offset: -3px; }
.message { display: flex; gap: 9px; margin-block-start: 14px; animation: appear .2s ease-out; }
.bot + .bot, .person + .person, .customer + .customer { margin-block-start: 6px; }
.log > .message:first-child { margin-block-start: 0; }
@keyframes appear { from { opacity: 0; transform: translateY(6px); } }
.face { display: grid; place-items: center; width: 28px; height: 28px; border-radius: 10px; background: var(--tint); color: var(--on-tint); font-size: 11px; font-weight: 650; flex: none; }
.face svg { width: 16px; height: 16px; }
.person .face { border-radius: 50%; background: #f3e3c8; color: #6b4307; }
[data-theme=dark] .person .face { background: #4a3514; color: #ffdca6; }
.bot + .bot .face, .person + .person .face, .person + .person .name { visibility: hidden; }
.person + .person .name { display: none; }
.body { display: flex; flex-direction: column; align-items: flex-start; max-width: calc(100% - 64px); min-width: 0; }
.customer { justify-content: flex-end; }
.customer .body { align-items: flex-end; max-width: 82%; }
.name { margin: 0 2px 3px; font-size: 12.5px; font-weight: 600; color: var(--soft); }
.bubble { max-width: 100%; padding: 9px 13px; border: 1px solid var(--line); border-radius: 5px 17px 17px 17px; background: var(--bubble); box-shadow: var(--shade); }
.bot + .bot .bubble, .person + .person .bubble { border-start-start-radius: 17px; }
.bubble p { white-space: pre-wrap; overflow-wrap: anywhere; }
.customer .bubble { border-color: transparent; border-radius: 17px 17px 5px 17px; background: var(--accent); color: var(--on-accent); box-shadow: none; }
.customer[data-state=sending] .bubble { opacity: .82; }
.customer[data-state=failed] .bubble, .customer[data-state=refused] .bubble { background: none; color: var(--ink); border: 1px dashed var(--bad); }
a { color: var(--on-tint); text-underline-offset: 2px; text-decoration-thickness: 1px; }
.customer a { color: inherit; }
.foot { display: flex; align-items: center; gap: 8px; min-height: 20px; margin: 3px 3px 0; color: var(--soft); font-size: 12px; line-height: 1.5; }
.customer:has(+ .customer) .foot:not(:has(.again)), .bot:has(+ .bot) .foot, .person:has(+ .person) .foot { display: none; }
.bad { color: var(--bad); }
.again { min-height: 24px; font-weight: 600; text-decoration: underline; text-underline-offset: 2px; color: var(--ink); }
.thumbs { display: flex; gap: 2px; margin-inline-start: -5px; }
.thumb { display: grid; place-items: center; width: 26px; height: 26px; border-radius: 8px; color: var(--soft); }
.thumb svg { width: 15px; height: 15px; }
.thumb:hover { background: var(--tint); color: var(--on-tint); }
.thumb[aria-pressed=true] { background: var(--tint); color: var(--on-tint); }
.thumb[aria-pressed=true] svg { fill: currentColor; stroke-width: 1.2; }

.sources { display: flex; flex-direction: column; gap: 5px; margin-block-start: 9px; padding-block-start: 9px; border-block-start: 1px solid var(--line); }
.sources a, .sources li > span { display: flex; align-items: center; gap: 7px; min-height: 24px; font-size: 13.5px; font-weight: 550; text-decoration: none; color: var(--on-tint); overflow-wrap: anywhere; }
.sources a:hover span { text-decoration: underline; }
.sources svg { width: 15px; height: 15px; }

.choices { display: flex; flex-wrap: wrap; gap: 8px; padding: 10px 0 4px 37px; animation: appear .25s ease-out; }
.choice { padding: 7px 14px; min-height: 36px; border: 1px solid var(--accent); border-radius: 18px; background: var(--paper); color: var(--on-tint); font-size: 14px; font-weight: 550; line-height: 1.4; text-align: start; transition: background .15s; }
.choice:hover { background: var(--tint); }

.notice, .day { display: flex; align-items: center; gap: 10px; margin: 16px 0 12px; color: var(--soft); font-size: 12.5px; line-height: 1.4; text-align: center; }
.notice::before, .notice::after, .day::before, .day::after { content: ""; flex: 1; min-width: 12px; height: 1px; background: var(--line); }
.day { margin: 4px 0 12px; }
.message + .day { margin-block-start: 16px; }

.typing { display: flex; gap: 9px; padding: 0 16px 10px; background: var(--ground); }
.dots { display: flex; gap: 4px; padding: 13px 14px; border: 1px solid var(--line); border-radius: 5px 17px 17px 17px; background: var(--bubble); }
.dots i { width: 7px; height: 7px; border-radius: 50%; background: var(--soft); animation: hop 1.2s ease-in-out infinite; }
.dots i:nth-child(2) { animation-delay: .15s; }
.dots i:nth-child(3) { animation-delay: .3s; }
@keyframes hop { 0%, 60%, 100% { opacity: .35; } 30% { opacity: 1; transform: translateY(-3px); } }

.composer { padding: 10px 12px 0; background: var(--paper); border-block-start: 1px solid var(--line); }
.field { display: flex; align-items: flex-end; gap: 6px; padding: 4px; border: 1px solid var(--soft); border-radius: 16px; background: var(--paper); transition: border-color .15s, box-shadow .15s; }
.field:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
textarea, textarea:focus-visible { outline: 0; }
textarea { flex: 1; min-width: 0; resize: none; height: 36px; max-height: 132px; padding: 7px 4px 7px 11px; line-height: 22px; font-size: 15px; overflow-y: auto; }
textarea::placeholder { color: var(--soft); opacity: 1; }
.send { display: grid; place-items: center; width: 36px; height: 36px; border-radius: 12px; background: var(--accent); color: var(--on-accent); border: 1px solid transparent; flex: none; transition: background .15s, color .15s; }
.send:disabled { background: var(--line); color: var(--soft); }
.alert { padding: 6px 4px 0; color: var(--bad); font-size: 13px; }
.below { display: flex; align-items: center; justify-content: center; min-height: 46px; }
.person-button { display: flex; align-items: center; gap: 7px; min-height: 32px; padding: 4px 12px; border-radius: 16px; color: var(--on-tint); font-size: 13.5px; font-weight: 600; }
.person-button:hover:not(:disabled) { background: var(--tint); }
.person-button:disabled { color: var(--soft); font-weight: 500; }
.person-button svg { width: 17px; height: 17px; }

@media (max-width: 480px), (max-height: 480px) {
  .root[data-open] { inset: 0; }
  .root[data-open] .launcher { display: none; }
  .panel { inset: 0; width: auto; max-width: none; height: auto; border: 0; border-radius: 0; }
  textarea { font-size: 16px; } /* smaller makes a phone zoom in */
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
@media (forced-colors: active) {
  .bubble, .launcher, .send, .face, .badge, .thumb[aria-pressed=true] { border: 1px solid CanvasText !important; }
  .customer .bubble { border-width: 2px !important; }
  .status::before { forced-color-adjust: none; }
}
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(css);
