// htmx takes up what it put into the page a moment after it stands there. Who is faster, by key or by mouse, is not led
// away to a page of its own: what they act on is taken up first.

for (const act of ["click", "change", "submit"]) {
  document.addEventListener(act, takeUp, { capture: true });
}

function takeUp({ target }) {
  const acted = target.closest?.("[hx-get], [hx-post]");
  if (acted && !acted.dataset.htmxPowered) htmx.process(acted);
}
