// The keyboard: G and a letter go somewhere, / searches, J K X walk and select rows, ? lists all of it.
// Rows are marked data-row. Single letters can be switched off on this device, and in the profile for all (WCAG 2.1.4).

const STORED = "single-keys";
const CHORD_MS = 1200;
const FIELDS = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
let going = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest(FIELDS) || document.querySelector("dialog[open]")) return;
  const done = event.key.startsWith("Arrow") ? arrow(event) : enabled() && letter(event);
  if (done) event.preventDefault();
});

const toggle = document.querySelector("[data-single-keys]");
if (toggle) {
  toggle.checked = enabled();
  toggle.addEventListener("change", () => localStorage.setItem(STORED, toggle.checked ? "on" : "off"));
}

function enabled() {
  return localStorage.getItem(STORED) !== "off" && document.documentElement.dataset.singleKeys !== "off";
}

function letter(event) {
  const key = event.key.toLowerCase();
  if (Date.now() - going < CHORD_MS) return go(key);
  if (key === "g") return (going = Date.now());
  if (key === "j" || key === "k") return move(key === "j" ? 1 : -1);
  if (key === "x") return select(event.shiftKey);
  if (key === "/") return search();
  if (key === "?") return shortcuts();
  return press(key);
}

function arrow(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  return step && event.target.closest("[data-row]") && move(step);
}

function go(key) {
  going = 0;
  const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
  link?.click();
  return Boolean(link);
}

function move(step) {
  const rows = shownRows();
  if (!rows.length) return false;
  const here = rows.indexOf(document.activeElement.closest("[data-row]"));
  const next = rows[here < 0 ? 0 : Math.min(Math.max(here + step, 0), rows.length - 1)];
  linkOf(next)?.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function shownRows() {
  return [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
}

function linkOf(row) {
  return row?.querySelector("[data-open]") ?? row?.querySelector("a[href]");
}

// A list is shown anew under somebody's feet: they stay on their row, or stand on the one that took its place.
let stood = null;

document.addEventListener("focusin", ({ target }) => stand(target));
document.addEventListener("htmx:before:swap", () => stand(document.activeElement));
document.addEventListener("pointerdown", () => (stood = null)); // whoever clicks elsewhere has left the row

document.addEventListener("htmx:after:settle", () => {
  if (!stood || document.activeElement !== document.body) return;
  const rows = shownRows();
  const same = rows.map(linkOf).find((link) => link?.getAttribute("href") === stood.href);
  (same ?? linkOf(rows[Math.min(stood.at, rows.length - 1)]))?.focus({ preventScroll: true });
});

// Where nothing has the focus, it was lost with a row, in a swap that has yet to settle.
function stand(focused) {
  const row = focused.closest("[data-row]");
  if (row) stood = { at: shownRows().indexOf(row), href: linkOf(row)?.getAttribute("href") };
  else if (focused !== document.body) stood = null;
}

function select(range) {
  const box = document.activeElement.closest("[data-row]")?.querySelector("input[data-select]");
  box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: range }));
  return Boolean(box);
}

function search() {
  const field = document.querySelector("main input[type=search]");
  field?.focus();
  field?.select();
  return Boolean(field);
}

// What is offered under a letter: for the selected rows, else in the row that has the focus, else on the page.
// <a data-key="e"> closes the CTA that is open.
function press(key) {
  const named = `[data-key="${CSS.escape(key)}"]`;
  const offered =
    document.querySelector(`[data-bulk]:not([hidden]) ${named}`) ??
    document.activeElement.closest("[data-row]")?.querySelector(named) ??
    document.querySelector(`[data-key="${CSS.escape(key)}"]:not([data-row] *, [data-bulk] *)`);
  offered?.click();
  return Boolean(offered);
}

// In a menu that numbers its choices, a digit takes one.
document.addEventListener("keydown", (event) => {
  const choice = /^[1-9]$/.test(event.key) && event.target.closest("[data-digits]")?.querySelectorAll("button")[event.key - 1];
  if (!choice) return;
  event.preventDefault();
  choice.click();
});

function shortcuts() {
  document.getElementById("shortcuts").showModal();
  return true;
}
