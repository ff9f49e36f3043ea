// The rule editor's field picker: Enter takes the first field found, arrows walk them, Esc puts the picker away.
// Conditions and groups are dragged by their grip; the arrows beside it do the same one place at a time.
// A filter that was built in the dialog shows its list: HX-Trigger: {"list:chosen": {"address": …}}.

document.addEventListener("keydown", (event) => {
  const picker = event.target.closest("[data-picker]");
  if (!picker || event.ctrlKey || event.metaKey || event.altKey) return;
  const items = [...picker.querySelectorAll(".item")];
  const here = items.indexOf(document.activeElement);
  if (event.key === "Enter" && here < 0) items[0]?.click();
  else if (event.key === "ArrowDown") items[Math.min(here + 1, items.length - 1)]?.focus();
  else if (event.key === "ArrowUp") (items[here - 1] ?? picker.querySelector("input"))?.focus();
  else if (event.key === "Escape") close(picker);
  else return;
  event.preventDefault();
  event.stopPropagation();
});

function close(picker) {
  const button = picker.parentElement.querySelector("[aria-expanded=true]");
  button?.focus();
  button?.click();
}

document.addEventListener("list:chosen", ({ detail }) => {
  htmx.ajax("GET", detail.address, { source: "#results", target: "#results", push: detail.address }); // the source names what is asked for
});

// Once a field is chosen, a search that still waits for the next key must not ask any more.
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-picker] .item")) target.closest("[data-picker]").querySelector("[data-picker-search]")?.remove();
});

// --- dragging

let dragged = null;

const editorOf = (element) => element.closest(".rules");
const ruleOf = (target) => target.closest?.("[data-rule], [data-rule-end]");

document.addEventListener("pointerdown", ({ target }) => {
  const rule = target.closest("[data-rule-grip]")?.closest("[data-rule]");
  if (rule) rule.draggable = true;
});

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("[data-rule][draggable=true]") ?? null;
  if (dragged) event.dataTransfer.effectAllowed = "move";
});

document.addEventListener("dragover", (event) => {
  const over = dragged && ruleOf(event.target);
  unmark();
  if (!over || dragged.contains(over) || editorOf(over) !== editorOf(dragged)) return;
  event.preventDefault();
  over.dataset.drop = isBelow(over, event) ? "after" : "before";
});

document.addEventListener("dragend", () => {
  unmark();
  if (dragged) dragged.draggable = false;
  dragged = null;
});

document.addEventListener("drop", (event) => {
  const over = dragged && ruleOf(event.target);
  if (!over || dragged.contains(over) || editorOf(over) !== editorOf(dragged)) return;
  event.preventDefault();
  const place = editorOf(over).querySelector("[data-rule-place]");
  place.value = `place ${dragged.dataset.rule} ${placeOf(over, event)}`;
  place.click();
});

function isBelow(over, { clientY }) {
  const { top, height } = over.getBoundingClientRect();
  return "rule" in over.dataset && clientY > top + height / 2;
}

function placeOf(over, event) {
  if (!("rule" in over.dataset)) return over.dataset.ruleEnd;
  const path = over.dataset.rule.split(".").map(Number);
  return [...path.slice(0, -1), path.at(-1) + (isBelow(over, event) ? 1 : 0)].join(".");
}

function unmark() {
  document.querySelector("[data-drop]")?.removeAttribute("data-drop");
}
