// Quick Jump: Ctrl or ⌘ K opens it, arrows move, Enter opens, with Ctrl or ⌘ in a new tab. Before anything is typed it
// shows what was opened last on this device.

const palette = document.getElementById("quick-jump");
const field = palette.querySelector("input");
const list = document.getElementById("jump-list");
const recent = document.getElementById("jump-recent");
const STORED = `recent:${palette.dataset.jump}`;
const KEPT = 6;
const THINGS = /^\/w\/[^/]+\/(accounts|users|playbooks|plans)\/\d+\/$/;
const ICONS = { accounts: "building-2", users: "user", playbooks: "workflow", plans: "flag" };

remember();

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  palette.open ? palette.close() : open();
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-jump-open]");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open();
});

palette.addEventListener("click", (event) => {
  if (event.target === palette) palette.close();
  else if (event.target.closest("a")) palette.close();
});

field.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) move(step);
  else if (event.key === "Enter") follow(event.ctrlKey || event.metaKey);
  else return;
  event.preventDefault();
});

field.addEventListener("input", () => (recent.hidden = field.value.trim() !== "" || !recent.childElementCount));
document.addEventListener("htmx:after:settle", ({ target }) => target === list && select(options()[0]));

const options = () => [...palette.querySelectorAll("[role=option]")].filter((option) => option.checkVisibility());
const current = () => palette.querySelector("[aria-selected=true]");

function open() {
  field.value = "";
  showRecent();
  palette.showModal();
  field.dispatchEvent(new Event("jump"));
}

function move(step) {
  const all = options();
  select(all[(all.indexOf(current()) + step + all.length) % all.length]);
}

function select(option) {
  current()?.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  option ? field.setAttribute("aria-activedescendant", option.id) : field.removeAttribute("aria-activedescendant");
}

function follow(elsewhere) {
  const link = current();
  if (!link) return field.form.submit();
  if (elsewhere) window.open(link.href, "_blank", "noopener");
  else link.click();
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? [];
  } catch {
    return [];
  }
}

function remember() {
  const [, kind] = location.pathname.match(THINGS) ?? [];
  const name = document.querySelector("main h1")?.textContent.trim();
  if (!kind || !name) return;
  const others = remembered().filter(({ url }) => url !== location.pathname);
  localStorage.setItem(STORED, JSON.stringify([{ url: location.pathname, name, kind }, ...others].slice(0, KEPT)));
}

function showRecent() {
  const things = remembered().filter(({ url }) => THINGS.test(url));
  const title = document.createElement("li");
  title.className = "pop-title";
  title.role = "presentation";
  title.textContent = "Recent";
  recent.replaceChildren(...(things.length ? [title, ...things.map(thing)] : []));
  recent.hidden = !things.length;
}

function thing({ url, name, kind }, index) {
  const item = document.createElement("li");
  item.className = "item";
  item.role = "presentation";
  const link = document.createElement("a");
  link.id = `jump-recent-${index}`;
  link.role = "option";
  link.ariaSelected = "false";
  link.href = url;
  link.tabIndex = -1;
  const what = document.createElement("span");
  what.className = "what";
  what.textContent = name;
  link.append(icon(ICONS[kind] ?? "clock"), what);
  item.append(link);
  return item;
}

function icon(name) {
  const drawn = palette.querySelector(".query svg").cloneNode(true);
  const use = drawn.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${name}`));
  return drawn;
}
