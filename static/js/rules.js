// The rule editor's field picker: Enter takes the first field found, arrows walk them, Esc puts the picker away.
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
  htmx.ajax("GET", detail.address, { target: "#results", push: detail.address });
});

// Once a field is chosen, a search that still waits for the next key must not ask any more.
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-picker] .item")) target.closest("[data-picker]").querySelector("[data-picker-search]")?.remove();
});
