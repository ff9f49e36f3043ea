// htmx takes up a page, and what it puts into it, a moment after it stands there. Who is faster, by key or by mouse, is not
// led away to a page of its own, nor types into a search that does not listen yet. The page is taken up now, after all other
// modules; what is swapped in, when somebody acts on it.

htmx.process(document.body);

for (const act of ["click", "change", "submit"]) {
  document.addEventListener(act, takeUp, { capture: true });
}

function takeUp({ target }) {
  const acted = target.closest?.("[hx-get], [hx-post]");
  if (acted && !acted.dataset.htmxPowered) htmx.process(acted);
}
