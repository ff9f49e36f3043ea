// Lists in an order of their own: data-sorting holds the address, each item is data-sort with its name=value. Items move by
// dragging; the buttons beside them do the same one place at a time, also without scripts.

const item = (element) => element?.closest?.("[data-sort]");
let dragged = null;
let before = "";

document.addEventListener("dragstart", (event) => {
  dragged = item(event.target);
  if (!dragged) return;
  before = orderOf(dragged.closest("[data-sorting]"));
  event.dataTransfer.effectAllowed = "move";
});

document.addEventListener("dragover", (event) => {
  const over = dragged && item(event.target);
  if (!over || over.parentElement !== dragged.parentElement) return;
  event.preventDefault();
  const { top, height } = over.getBoundingClientRect();
  if (over !== dragged) over[event.clientY < top + height / 2 ? "before" : "after"](dragged);
});

document.addEventListener("dragend", () => {
  const list = dragged?.closest("[data-sorting]");
  dragged = null;
  if (!list || orderOf(list) === before) return;
  const body = new FormData();
  for (const [name, value] of new URLSearchParams(list.dataset.sorts)) body.append(name, value);
  for (const own of list.querySelectorAll("[data-sort]")) {
    for (const [name, value] of new URLSearchParams(own.dataset.sort)) body.append(name, value);
  }
  htmx.ajax("POST", list.dataset.sorting, { source: list, swap: "none", values: body });
});

function orderOf(list) {
  return [...list.querySelectorAll("[data-sort]")].map((own) => own.dataset.sort).join("\n");
}
