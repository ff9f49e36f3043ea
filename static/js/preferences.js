// Theme and row height change at once; the form saves them beside, so the next page is served that way.

document.querySelector("[data-preferences]")?.addEventListener("change", ({ currentTarget }) => {
  const chosen = new FormData(currentTarget);
  set("theme", chosen.get("theme"), "system");
  set("density", chosen.get("density"), "comfortable");
});

function set(name, value, plain) {
  if (value === plain) delete document.documentElement.dataset[name];
  else document.documentElement.dataset[name] = value;
}
