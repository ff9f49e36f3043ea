// Typing @ in a field marked data-mentions offers team members. The field stays what it is: plain text with names in it.

const BEGUN = /(?:^|[\s(])@([^\s@][^@\n]{0,40}|)$/;
const list = document.createElement("ul");
list.className = "pop mentions";
list.id = "mention-list";
list.popover = "manual";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Team members");
let field = null;
let asked = 0;

document.addEventListener("input", ({ target }) => {
  if (target.matches?.("[data-mentions]")) offer(target);
});

document.addEventListener("keydown", (event) => {
  if (!isOpen() || event.target !== field) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) move(step);
  else if (event.key === "Enter" || event.key === "Tab") choose(current());
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, true);

list.addEventListener("mousedown", (event) => {
  event.preventDefault(); // the field keeps the focus
  const option = event.target.closest("[role=option]");
  if (option) choose(option);
});

document.addEventListener("focusout", ({ target }) => target === field && close());

const isOpen = () => list.matches(":popover-open");
const options = () => [...list.children];
const current = () => list.querySelector("[aria-selected=true]");
const begun = (area) => area.value.slice(0, area.selectionStart).match(BEGUN)?.[1];

async function offer(area) {
  const typed = begun(area);
  if (typed === undefined) return close();
  narrow(typed);
  const mine = ++asked;
  const response = await fetch(`${area.dataset.mentions}?q=${encodeURIComponent(typed)}`);
  const { members } = response.ok ? await response.json() : {};
  if (!members || mine !== asked || begun(area) !== typed) return;
  members.length ? open(area, members) : close();
}

// Until the answer is here: nobody is to be chosen whom the letters typed meanwhile do not mean.
function narrow(typed) {
  if (!isOpen()) return;
  for (const one of options()) if (!one.textContent.toLowerCase().includes(typed.toLowerCase())) one.remove();
  if (list.firstElementChild) select(list.firstElementChild);
  else list.hidePopover();
}

function open(area, members) {
  field = area;
  list.replaceChildren(...members.map(option));
  select(list.firstElementChild);
  // Inside an open dialog, because all else is inert; otherwise where a drawer that is shown anew leaves it alone.
  (area.closest("dialog") ?? document.body).append(list);
  area.setAttribute("aria-controls", list.id);
  if (!isOpen()) list.showPopover();
  const box = area.getBoundingClientRect();
  list.style.left = `${box.left}px`;
  const below = box.bottom + list.offsetHeight + 6 < innerHeight;
  list.style.top = `${below ? box.bottom + 6 : box.top - list.offsetHeight - 6}px`;
}

function option({ name, email, handle }, index) {
  const item = document.createElement("li");
  item.className = "item";
  item.id = `mention-${index}`;
  item.setAttribute("role", "option");
  item.dataset.handle = handle;
  const address = document.createElement("span");
  address.className = "push";
  address.textContent = email;
  item.append(name, address);
  return item;
}

function move(step) {
  const all = options();
  select(all[(all.indexOf(current()) + step + all.length) % all.length]);
}

function select(item) {
  for (const one of options()) one.setAttribute("aria-selected", String(one === item));
  field?.setAttribute("aria-activedescendant", item.id);
}

function choose(item) {
  const typed = begun(field) ?? "";
  const end = field.selectionStart;
  field.setRangeText(`${item.dataset.handle} `, end - typed.length, end, "end");
  close();
}

function close() {
  asked++;
  if (isOpen()) list.hidePopover();
  field?.removeAttribute("aria-activedescendant");
  field?.removeAttribute("aria-controls");
}
