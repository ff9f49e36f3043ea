// A value edited in its place. data-edits names the element that takes the form; while one is there, the value is hidden.
// Esc or data-leave takes the form away again; after saving, the focus returns to the value.

let last = "";

const opener = () => document.querySelector(`[data-edits="${CSS.escape(last)}"]`);

document.addEventListener("click", (event) => {
  const value = event.target.closest("[data-edits]");
  if (value) last = value.dataset.edits;
  const link = event.target.closest(".edit-place [data-leave]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  leave(link.closest(".edit-place"));
});

document.addEventListener("keydown", (event) => {
  const place = event.target.closest?.(".edit-place");
  if (!place) return;
  if (event.key === "Escape") {
    event.preventDefault();
    leave(place);
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.target.form?.requestSubmit();
  }
});

document.addEventListener("htmx:after:settle", ({ target }) => {
  if (target?.matches?.(".edit-place") && target.id === last) return focus(target);
  if (last && document.activeElement === document.body && !document.getElementById(last)?.childElementCount) {
    opener()?.focus();
    last = "";
  }
});

function focus(place) {
  const field = place.querySelector("[aria-invalid=true]") ?? place.querySelector("input:not([type=hidden]), select, textarea");
  field?.focus();
  field?.select?.();
}

function leave(place) {
  place.replaceChildren();
  opener()?.focus();
  last = "";
}
