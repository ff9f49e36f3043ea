// Tabs that lead to sections of the page: the one that was chosen last is the current one, also after the head is drawn anew.
// Where more tabs, or filters in a row, are than fit beside each other, the one in force is in sight.

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

const shown = new WeakSet();

document.addEventListener("htmx:after:settle", reveal);
reveal();

function reveal() {
  for (const tab of document.querySelectorAll(".tabs [aria-current], nav.segmented [aria-current]")) {
    if (shown.has(tab)) continue;
    shown.add(tab);
    const [own, all] = [tab, tab.parentElement].map((one) => one.getBoundingClientRect());
    tab.parentElement.scrollLeft += own.left + own.width / 2 - (all.left + all.width / 2);
  }
}

function mark(tab) {
  for (const one of tab.parentElement.children) one.toggleAttribute("aria-current", one === tab);
  tab.setAttribute("aria-current", "true");
}
