/* The NPS survey on a customer's page. No inline style, no eval; whatever goes wrong stays in here. */
(() => {
  "use strict";
  const script = document.currentScript;
  const base = new URL("/nps/v1/", script ? script.src : location.href);
  const WORDS = { low: "Not likely", high: "Very likely", send: "Send", close: "Close" };
  const CSS = `:host{all:initial}
.card{--bg:#fff;--fg:#1b1f2a;--dim:#535a6b;--line:#858c9c;--soft:#eef0f5;position:relative;box-sizing:border-box;
max-width:26rem;padding:18px;border:1px solid #8886;border-radius:12px;background:var(--bg);color:var(--fg);
font:14px/1.45 system-ui,sans-serif;box-shadow:0 8px 32px #0003}
.dark{--bg:#1d2029;--fg:#f0f2f7;--dim:#b3b9c7;--line:#7d8597;--soft:#2b303c}
.float{width:calc(100vw - 2rem);position:fixed;z-index:2147483000;bottom:1rem}
.right{right:1rem}.left{left:1rem}.center{left:50%;translate:-50%}
*{box-sizing:border-box;overflow-wrap:anywhere}
[hidden]{display:none!important}
h2{margin:0 2rem 12px 0;font:600 15px/1.35 system-ui,sans-serif;min-height:20px}
p{margin:0 2rem 0 0}
button,textarea{font:inherit;color:inherit;border-radius:6px}
.x{position:absolute;top:8px;right:8px;width:32px;height:32px;border:0;background:none;font-size:20px;cursor:pointer}
.scale{display:grid;grid-template-columns:repeat(11,1fr);gap:3px}
.scale label{position:relative;display:grid;place-items:center;min-height:36px;border:1px solid var(--line);border-radius:6px}
.scale label:hover,.x:hover{background:var(--soft)}
.scale input{position:absolute;inset:0;margin:0;opacity:0;cursor:pointer}
.scale label:has(:checked),.send{background:var(--accent);color:var(--ink)}
:focus-visible,label:has(:focus-visible){outline:2px solid var(--fg);outline-offset:2px}
.ends{display:flex;justify-content:space-between;margin-top:6px;color:var(--dim);font-size:12px}
.more{display:grid;gap:8px;margin-top:16px}
textarea{width:100%;min-height:72px;padding:8px;border:1px solid var(--line);background:var(--bg);resize:vertical}
.send{justify-self:end;min-height:36px;padding:0 16px;border:0;font-weight:600;cursor:pointer}
@media (prefers-reduced-motion:no-preference){.float{animation:in .2s}@keyframes in{from{opacity:0}}}
@media (max-width:26rem){.scale{grid-template-columns:repeat(6,1fr)}}
@media (forced-colors:active){label:has(:checked){outline:3px solid}}`;
  let shown = null;
  let asking = false;

  const wait = (ms) => new Promise((go) => setTimeout(go, ms));

  const make = (tag, props = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  /* What can be read on the accent. */
  const ink = (accent) => {
    const [r, g, b] = [1, 3, 5].map((at) => (parseInt(accent.slice(at, at + 2), 16) / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
  };

  /* Three tries, each later; what is refused for good is not asked again. */
  const call = async (token, name, body) => {
    const init = { credentials: "omit", referrerPolicy: "no-referrer", headers: { Authorization: `Bearer ${token}` } };
    if (name !== "survey") {
      Object.assign(init, { method: "POST", body: JSON.stringify(body || {}), keepalive: true });
      init.headers["Content-Type"] = "application/json";
    }
    for (const pause of [1500, 6000, 0]) {
      try {
        const answer = await fetch(new URL(name, base), init);
        if (answer.ok) return await answer.json();
        if (answer.status < 500 && answer.status !== 429) return null;
      } catch { /* blocked, or no network */ }
      if (pause) await wait(pause);
    }
    return null;
  };

  /* The card alone. */
  const draw = ({ question, follow_up, thanks, theme }, words, told, closed) => {
    const host = make("div");
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    const dark = theme.appearance === "system" ? matchMedia("(prefers-color-scheme:dark)").matches : theme.appearance === "dark";
    const title = make("h2", { id: "q", "aria-live": "polite", dir: "auto" });
    const scale = make("div", { className: "scale", role: "radiogroup", "aria-labelledby": "q", "aria-describedby": "e" });
    for (let n = 0; n < 11; n += 1) scale.append(make("label", {}, make("input", { type: "radio", name: "s", value: n }), `${n}`));
    const ends = make("div", { className: "ends", id: "e" }, make("span", {}, `0 ${words.low}`), make("span", {}, `10 ${words.high}`));
    const comment = make("textarea", { id: "c", maxLength: 2000, dir: "auto" });
    const send = make("button", { className: "send" }, words.send);
    const more = make("div", { className: "more", hidden: true }, make("label", { htmlFor: "c", dir: "auto" }, follow_up), comment, send);
    const form = make("form", {}, title, scale, ends, more);
    const said = make("div", { role: "status" });
    const close = make("button", { className: "x", type: "button", "aria-label": words.close }, "×");
    const card = make("section", { className: dark ? "card dark" : "card", role: "dialog", "aria-label": question }, form, said, close);
    card.style.setProperty("--accent", theme.accent);
    card.style.setProperty("--ink", ink(theme.accent));
    root.append(card);
    wait(100).then(() => { title.textContent = question; }); // so that it is read out

    const score = () => Number(root.querySelector(":checked").value);
    scale.onchange = () => {
      more.hidden = false;
      told(score(), null);
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      const inside = root.activeElement;
      told(score(), comment.value);
      form.hidden = true;
      said.append(make("p", { dir: "auto" }, thanks));
      if (inside) close.focus();
    };
    close.onclick = closed;
    card.onkeydown = (event) => {
      event.stopPropagation(); // the page's own shortcuts are not meant
      if (event.key === "Escape") closed();
    };
    return { host, card };
  };

  const open = (survey, token, words) => {
    const before = document.activeElement;
    let score = null;
    let timer = 0;
    const flush = () => {
      if (timer) call(token, "answer", { score });
      clearTimeout(timer);
      timer = 0;
    };
    const close = () => {
      if (shown !== widget) return;
      flush();
      if (score === null) call(token, "dismissed");
      const inside = document.activeElement === widget.host;
      stop();
      if (inside && before && before.isConnected) before.focus();
    };
    const told = (given, comment) => {
      score = given;
      clearTimeout(timer);
      timer = comment === null ? setTimeout(flush, 1200) : 0; // arrow keys pass over many scores
      if (timer) return;
      call(token, "answer", { score, comment });
      wait(8000).then(close);
    };
    const widget = draw(survey, words, told, close);
    widget.card.classList.add("float", survey.theme.position);
    shown = widget;
    addEventListener("pagehide", flush);
    document.body.append(widget.host);
    call(token, "shown");
  };

  /* Shows the survey if this user may be asked now. Harmless to call again. */
  const start = async ({ token, words } = {}) => {
    if (!token || shown || asking) return;
    asking = true;
    try {
      const survey = await call(token, "survey");
      if (survey && survey.show) open(survey, token, { ...WORDS, ...words });
    } catch { }
    asking = false;
  };

  const stop = () => {
    if (shown) shown.host.remove();
    shown = null;
  };

  /* The card inside an element; nobody is asked or told. */
  const preview = (place, survey) => place.replaceChildren(draw(survey, WORDS, () => {}, () => {}).host);

  window.csNps = { start, stop, preview };
  if (script && script.dataset.token) start({ token: script.dataset.token });
})();
