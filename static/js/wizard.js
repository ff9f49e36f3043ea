// The wizard: what was typed is never lost on the way out, choices redraw the action's form, variables go where the
// caret was, and cards of the schedule are dragged to another day.

const form = () => document.getElementById("step-form");
let dirty = false;
let writing = null;

document.addEventListener("input", ({ target }) => {
  if (target.form && target.form === form()) dirty = true;
});

document.addEventListener("htmx:after:request", ({ target }) => {
  if (target.matches?.("[data-autosave], #step-form")) dirty = false;
});

// A step, or the way out, is opened by the form itself while it holds something that is not saved.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-leaves]");
  if (!link || !dirty || event.ctrlKey || event.metaKey || event.shiftKey || !form()) return;
  event.preventDefault();
  send(form()).finally(() => location.assign(link.href));
});

addEventListener("pagehide", () => {
  if (dirty && form()) navigator.sendBeacon(form().action, draft(form()));
});

function draft(of) {
  const data = new FormData(of);
  data.set("autosave", "1");
  return data;
}

async function send(of) {
  dirty = false;
  await fetch(of.action, { method: "POST", body: draft(of), headers: { "HX-Request": "true" } }).catch(() => {});
}

// A choice that other fields depend on shows the action's form anew.
document.addEventListener("change", ({ target }) => {
  const editor = target.closest("[data-editor]");
  if (editor && target.closest("[data-redraws]")) editor.requestSubmit();
});

// --- variables

document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[data-variables-for]");
  if (opener) writing = document.getElementById(opener.dataset.variablesFor);
  const chosen = target.closest("[data-insert]");
  if (chosen) insert(chosen.dataset.insert);
});

function insert(text) {
  document.getElementById("variables")?.hidePopover();
  if (!writing) return;
  writing.focus();
  writing.setRangeText(text, writing.selectionStart, writing.selectionEnd, "end");
  writing.dispatchEvent(new Event("input", { bubbles: true }));
}

// The list is searched as soon as it is open, which the first time is when it has been loaded. Enter takes the first
// that is found, the arrows walk them.
const search = () => document.querySelector("#variables:popover-open [data-filter-items]");

document.addEventListener("toggle", ({ target }) => target.id === "variables" && search()?.focus(), { capture: true });
document.addEventListener("htmx:after:settle", () => document.activeElement?.matches("[data-variables-for]") && search()?.focus());

document.addEventListener("keydown", (event) => {
  const list = event.target.closest?.("#variables");
  if (!list || !["Enter", "ArrowDown", "ArrowUp"].includes(event.key)) return;
  const items = [...list.querySelectorAll(".item:not([hidden])")];
  const here = items.indexOf(event.target);
  if (event.key === "Enter" && here >= 0) return;
  event.preventDefault();
  if (event.key === "Enter") items[0]?.click();
  else if (event.key === "ArrowDown") items[Math.min(here + 1, items.length - 1)]?.focus();
  else (items[here - 1] ?? search())?.focus();
});

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-filter-items]")) return;
  const words = target.value.toLowerCase().split(/\s+/);
  for (const item of target.closest(".pop").querySelectorAll(".item")) {
    const group = item.closest("[role=group]")?.ariaLabel ?? "";
    const named = `${group} ${item.textContent} ${item.dataset.insert ?? ""}`.toLowerCase();
    item.hidden = !words.every((word) => named.includes(word));
  }
});

// An action is added to the day whose button opened the list.
document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[popovertarget=catalog]");
  const day = document.querySelector("#catalog [name=day]");
  if (opener && day) day.value = opener.dataset.dayOfNew ?? day.defaultValue;
});

// --- dragging

let dragged = null;

document.addEventListener("pointerdown", ({ target }) => {
  const card = target.closest("[data-grip]")?.closest("[data-step]");
  if (card) card.draggable = true;
});

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("[data-step]");
  if (dragged) event.dataTransfer.effectAllowed = "move";
});

document.addEventListener("dragover", (event) => {
  if (dragged && event.target.closest("[data-board] [data-step], [data-board] [data-day]")) event.preventDefault();
});

document.addEventListener("dragend", () => {
  if (dragged) dragged.draggable = false;
  dragged = null;
});

document.addEventListener("drop", (event) => {
  const board = dragged && event.target.closest("[data-board]");
  const card = event.target.closest("[data-step]");
  const day = event.target.closest("[data-day]")?.dataset.day;
  if (!board || card === dragged || (!card && !day)) return;
  event.preventDefault();
  const values = { step: dragged.dataset.step, before: card?.dataset.step ?? "", day: day ?? "", revision: document.querySelector("#saved [name=revision]").value };
  htmx.ajax("POST", `${board.dataset.board}move/`, { values, source: document.body, swap: "none" });
});
