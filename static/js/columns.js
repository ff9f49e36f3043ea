// Columns of a table: how wide (drag the edge of a head, or Shift and an arrow on it) and in which order (in their menu).
// Those that are pinned stand after one another: what grows moves the ones after it.
// The server writes both into the address: data-resizable is this page's, without a drawer.

const STEP = 10;
const NARROWEST = 60;
const WIDEST = 640;
const SETTLED_MS = 500;
let pending;

document.addEventListener("pointerdown", (event) => {
  const head = event.target.closest("[data-resize]")?.closest("th");
  if (!head || event.button) return;
  event.preventDefault();
  const start = head.offsetWidth - event.clientX;
  const move = ({ clientX }) => resize(head, start + clientX);
  const stop = () => {
    document.removeEventListener("pointermove", move);
    keep(head);
  };
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", stop, { once: true });
});

document.addEventListener("dblclick", ({ target }) => {
  const head = target.closest("[data-resize]")?.closest("th");
  if (head) load(addressWith(head, null));
});

document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
  const head = event.shiftKey && event.target.closest("[data-resizable] .th-btn")?.closest("th");
  if (!step || !head) return;
  event.preventDefault();
  resize(head, head.offsetWidth + step);
  clearTimeout(pending);
  pending = setTimeout(keep, SETTLED_MS, head);
});

function resize(head, pixels) {
  const width = Math.round(Math.min(Math.max(pixels, NARROWEST), WIDEST));
  const grown = width - (Number(head.style.getPropertyValue("--w")) || width);
  for (const row of head.closest("table").rows) {
    row.cells[head.cellIndex].classList.add("sized");
    row.cells[head.cellIndex].style.setProperty("--w", width);
    if (grown) for (const cell of pinnedAfter(row, head.cellIndex)) move(cell, grown);
  }
}

function pinnedAfter(row, at) {
  return row.cells[at].matches(".pin") ? [...row.cells].slice(at + 1).filter((cell) => cell.matches(".pinned")) : [];
}

function move(cell, pixels) {
  cell.style.setProperty("--at", Number(cell.style.getPropertyValue("--at")) + pixels);
}

function keep(head) {
  const width = head.style.getPropertyValue("--w");
  if (width) load(addressWith(head, width));
}

function addressWith(head, width) {
  const address = new URL(head.closest("[data-resizable]").dataset.resizable, location.href);
  const others = address.searchParams.getAll("width").filter((one) => !one.startsWith(`${head.dataset.column}:`));
  address.searchParams.delete("width");
  for (const one of others) address.searchParams.append("width", one);
  if (width) address.searchParams.append("width", `${head.dataset.column}:${width}`);
  return address.pathname + address.search;
}

// The source names the place in the request, by which the server knows that it is asked for the fragment alone.
function load(address) {
  htmx.ajax("GET", address, { source: "#results", target: "#results" });
  history.replaceState(history.state, "", address);
}

// What a column's menu did shows the list anew: the focus comes back to its head, wherever that stands now.

let left = null;

document.addEventListener("click", ({ target }) => {
  left = target.closest(".pop a.item") ? target.closest("th[data-column]")?.dataset.column : null;
}, { capture: true });

document.addEventListener("htmx:after:settle", () => {
  if (!left || document.activeElement !== document.body) return;
  const head = document.querySelector(`th[data-column="${CSS.escape(left)}"] .th-btn`);
  (head ?? document.querySelector('[popovertarget="columns"]'))?.focus({ preventScroll: true });
  left = null;
});

// The menu: columns move by dragging, or with the arrows on their grip; a moved one is shown.

const item = (element) => element.closest?.("[data-columns] li");
let dragged = null;

document.addEventListener("dragstart", (event) => {
  dragged = item(event.target);
  if (dragged) event.dataTransfer.effectAllowed = "move";
});

document.addEventListener("dragover", (event) => {
  const over = dragged && item(event.target);
  if (!over) return;
  event.preventDefault();
  const { top, height } = over.getBoundingClientRect();
  if (over !== dragged) over[event.clientY < top + height / 2 ? "before" : "after"](dragged);
});

document.addEventListener("dragend", () => {
  if (dragged) moved(dragged);
  dragged = null;
});

document.addEventListener("keydown", (event) => {
  const grip = event.target.closest("[data-grip]");
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!grip || !step) return;
  event.preventDefault();
  const own = item(grip);
  const all = [...own.closest("form").querySelectorAll("li")];
  all[all.indexOf(own) + step]?.[step < 0 ? "before" : "after"](own);
  grip.focus();
  moved(own);
});

function moved(own) {
  const form = own.closest("form");
  const all = [...form.querySelectorAll("li")];
  own.querySelector("input").checked = true;
  form.querySelector("[data-moved]").textContent =
    `${own.dataset.name}: ${all.indexOf(own) + 1} of ${all.length}`;
}

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-find]")) return;
  const sought = target.value.trim().toLowerCase();
  for (const group of target.form.querySelectorAll("fieldset")) {
    const items = [...group.querySelectorAll("li")];
    for (const one of items) one.hidden = !one.dataset.name.toLowerCase().includes(sought);
    group.hidden = items.every((one) => one.hidden);
  }
});
