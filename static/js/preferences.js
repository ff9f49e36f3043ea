// Theme and row height change at once; the form saves them beside, so the next page is served that way.

const preferences = document.querySelector("[data-preferences]");

preferences?.addEventListener("change", () => {
  const chosen = new FormData(preferences);
  set("theme", chosen.get("theme"), "system");
  set("density", chosen.get("density"), "comfortable");
  for (const button of document.querySelectorAll("[data-density-switch] button")) {
    button.ariaPressed = String(chosen.get("density") === "compact");
  }
});

// The switch above a table chooses in that form. Without scripts it is one of its own.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-density-switch] button");
  if (!button || !preferences) return;
  event.preventDefault();
  const wanted = button.ariaPressed === "true" ? "comfortable" : "compact";
  const choice = preferences.querySelector(`[name="density"][value="${wanted}"]`);
  choice.checked = true;
  choice.dispatchEvent(new Event("change", { bubbles: true }));
});

function set(name, value, plain) {
  if (value === plain) delete document.documentElement.dataset[name];
  else document.documentElement.dataset[name] = value;
}
