// Tabs that lead to sections of the page: the one that was chosen last is the current one, also after the head is drawn anew.

document.addEventListener("click", ({ target }) => {
  const tab = target.closest(".tabs a[href^='#']");
  if (tab) mark(tab);
});
addEventListener("hashchange", chosen);
document.addEventListener("htmx:after:settle", chosen);
chosen();

function chosen() {
  if (!/^#[\w-]+$/.test(location.hash)) return;
  const tab = document.querySelector(`.tabs a[href="${location.hash}"]`);
  if (tab) mark(tab);
}

function mark(tab) {
  for (const one of tab.parentElement.children) one.toggleAttribute("aria-current", one === tab);
  tab.setAttribute("aria-current", "true");
}
