// A value edited in its place. data-edits names the element that takes the form; while one is there, the value is hidden.
// Esc or data-leave takes the form away again; after saving, the focus returns to the value.

let last = "";
let fresh = null;

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

// A form that writes something new is empty again once it is written; one that was refused keeps its text.
document.addEventListener("submit", ({ target }) => (fresh = target.matches("[data-fresh]") ? target : null));
document.addEventListener("account:changed", () => {
  fresh?.reset();
  fresh = null;
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
