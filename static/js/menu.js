// Menus are popovers, so the browser opens and closes them; here they only get their place beside their button.

const GAP = 6;
const WIDE = 300;

// One menu may have several buttons: it opens beside the one that was pressed, or else the first that leads to it.
let pressed = null;

document.addEventListener("click", ({ target }) => (pressed = target.closest("[popovertarget]")), true);

document.addEventListener("beforetoggle", ({ target, newState }) => {
  if (newState === "open" && target.matches(".pop[popover]")) placeBesideButton(target);
}, true);

// How wide it is shows once it is open.
document.addEventListener("toggle", ({ target, newState }) => {
  if (newState === "open" && target.matches(".pop[popover]")) keepOnScreen(target);
}, true);

// What a request brought may have moved the button, made the menu wider, or taken away the place of one that stays open.
document.addEventListener("htmx:after:settle", () => {
  for (const menu of document.querySelectorAll(".pop:popover-open")) {
    placeBesideButton(menu);
    keepOnScreen(menu);
  }
});

// What is chosen in a menu may show the page anew, and the menu with it: the focus comes back to the button.
let chosen = null;

document.addEventListener("click", ({ target }) => {
  chosen = target.closest("a.item")?.closest(".pop[popover]")?.id;
}, true);

document.addEventListener("htmx:after:settle", () => {
  if (!chosen || document.activeElement !== document.body) return;
  document.querySelector(`[popovertarget="${CSS.escape(chosen)}"]`)?.focus({ preventScroll: true });
  chosen = null;
});

document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const menu = step && event.target.closest(".pop[popover]");
  if (!menu || event.target.matches("input, [data-grip]")) return;
  const items = [...menu.querySelectorAll(".item")];
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
  event.preventDefault();
});

function placeBesideButton(menu) {
  const leads = `[popovertarget="${CSS.escape(menu.id)}"]`;
  const button = pressed?.isConnected && pressed.matches(leads) ? pressed : document.querySelector(leads);
  if (button) place(menu, button.getBoundingClientRect());
}

// A menu begins where its button begins or ends where it ends: whichever keeps it on the screen.
function beginsAtButton(menu, button) {
  if (menu.classList.contains("start")) return innerWidth - button.left > WIDE || button.left < innerWidth / 2;
  return button.right < Math.min(WIDE, innerWidth) && button.left < innerWidth / 2;
}

function place(menu, button) {
  const below = button.top < innerHeight / 2;
  const style = menu.style;
  style.top = below ? `${button.bottom + GAP}px` : "auto";
  style.bottom = below ? "auto" : `${innerHeight - button.top + GAP}px`;
  style.maxHeight = `${(below ? innerHeight - button.bottom : button.top) - 2 * GAP}px`;
  const start = beginsAtButton(menu, button);
  style.left = start ? `${Math.max(button.left, GAP)}px` : "auto";
  style.right = start ? "auto" : `${Math.max(document.documentElement.clientWidth - button.right, GAP)}px`;
}

function keepOnScreen(menu) {
  const { left, right, width } = menu.getBoundingClientRect();
  const room = document.documentElement.clientWidth - GAP;
  if (left >= GAP && right <= room) return;
  menu.style.left = `${left < GAP ? GAP : Math.max(room - width, GAP)}px`;
  menu.style.right = "auto";
}
