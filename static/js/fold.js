// Groups that somebody folded stay folded in this tab, however often their list is shown anew. data-fold names a group.

const STORED = "folded";
const folded = new Set(JSON.parse(sessionStorage.getItem(STORED) ?? "[]"));

// Not the event toggle: every group that comes in open would send one, too.
document.addEventListener("click", ({ target }) => {
  const group = target.closest("summary")?.closest("[data-fold]");
  if (!group) return;
  if (group.open) folded.add(group.dataset.fold);
  else folded.delete(group.dataset.fold);
  sessionStorage.setItem(STORED, JSON.stringify([...folded]));
});

document.addEventListener("htmx:before:settle", fold);
fold();

function fold() {
  for (const group of document.querySelectorAll("[data-fold][open]")) group.open = !folded.has(group.dataset.fold);
}
