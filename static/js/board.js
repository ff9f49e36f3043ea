// Cards that are put somewhere else: by dragging, or with Shift and an arrow on the card that has the focus. A place says
// by data-put what a card takes over ("due_on=2026-11-20"); data-ask there opens a dialog first. Each card is data-card,
// with the address that takes it.

const place = (element) => element?.closest?.("[data-put]");
let card = null;

document.addEventListener("dragstart", (event) => {
  card = event.target.closest?.("[data-card]");
  if (card) event.dataTransfer.effectAllowed = "move";
});

document.addEventListener("dragover", (event) => {
  const over = card && place(event.target);
  if (!over) return;
  event.preventDefault();
  mark(over);
});

document.addEventListener("drop", (event) => {
  const over = card && place(event.target);
  if (!over) return;
  event.preventDefault();
  put(card, over);
});

document.addEventListener("dragend", () => {
  mark(null);
  card = null;
});

document.addEventListener("keydown", (event) => {
  const own = event.target.closest?.("[data-card]");
  if (!own || event.ctrlKey || event.metaKey || event.altKey) return;
  const places = [...document.querySelectorAll("[data-board] [data-column]")];
  const at = places.indexOf(own.closest("[data-column]"));
  const width = Number(own.closest("[data-board]").dataset.board) || places.length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width }[event.key];
  if (!step || (!event.shiftKey && Math.abs(step) > 1)) return;
  event.preventDefault();
  if (event.shiftKey) carry(own, places, at, step);
  else walk(places, at, step);
});

// Past places that take nothing, such as what is overdue.
function carry(own, places, at, step) {
  for (let to = at + step; to >= 0 && to < places.length; to += step) {
    if (places[to].matches("[data-put]")) return put(own, places[to]);
  }
}

function walk(places, at, step) {
  for (let to = at + step; to >= 0 && to < places.length; to += step) {
    const link = places[to].querySelector("[data-open]");
    if (link) return link.focus();
  }
}

function put(own, over) {
  if (own.closest("[data-column]") === over) return;
  const values = Object.fromEntries(new URLSearchParams(over.dataset.put));
  const address = "stage" in values ? own.dataset.status : own.dataset.card;
  again = own.dataset.id;
  htmx.ajax("POST", address, { values, source: own, swap: "none" });
}

// The board is shown anew; the card that was moved has the focus again.
let again = "";

document.addEventListener("htmx:after:settle", () => {
  const moved = again && document.querySelector(`[data-card][data-id="${CSS.escape(again)}"] [data-open]`);
  if (!moved || document.activeElement !== document.body) return;
  moved.focus();
  again = "";
});

function mark(over) {
  for (const one of document.querySelectorAll("[data-put][data-over]")) one.removeAttribute("data-over");
  over?.setAttribute("data-over", "");
}
