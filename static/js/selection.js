// Selected rows: data-select marks their boxes, data-select-all the one in the head, data-bulk the bar that counts them.
// data-select-matching extends a whole page to all that match, by the hidden field data-all; any other choice ends that.

let last = null;

const boxes = () => [...document.querySelectorAll("input[data-select]")];

document.addEventListener("click", ({ target, shiftKey }) => {
  if (!target.closest("[data-clear], [data-select], [data-select-all], [data-select-matching]")) return;
  extend(Boolean(target.closest("[data-select-matching]")));
  if (target.closest("[data-select-matching]")) check(boxes(), true);
  else if (target.closest("[data-clear]")) check(boxes(), false);
  else if (target.matches("input[data-select-all]")) check(boxes(), target.checked);
  else if (target.matches("input[data-select]")) one(target, shiftKey);
  show();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (!boxes().some((box) => box.checked)) return;
  check(boxes(), false);
  extend(false);
  show();
});

document.addEventListener("htmx:after:settle", show);

function extend(on) {
  const all = document.querySelector("[data-all]");
  if (all) all.disabled = !on;
}

function one(box, range) {
  const all = boxes();
  if (range && all.includes(last)) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    check(all.slice(from, to + 1), box.checked);
  }
  last = box;
}

function check(some, on) {
  for (const box of some) box.checked = on;
}

// Only rows of tables can be selected to a screen reader; in a list the box says it.
function mark(row, on) {
  const name = row.matches("tr") ? "aria-selected" : "data-selected";
  if (on) row.setAttribute(name, "true");
  else row.removeAttribute(name);
}

function show() {
  const all = boxes();
  const chosen = all.filter((box) => box.checked);
  for (const box of all) mark(box.closest("tr, li, [data-row]"), box.checked);
  const head = document.querySelector("input[data-select-all]");
  if (head) {
    head.checked = all.length > 0 && chosen.length === all.length;
    head.indeterminate = chosen.length > 0 && !head.checked;
  }
  const bar = document.querySelector("[data-bulk]");
  if (!bar) return;
  bar.hidden = !chosen.length;
  const matching = bar.querySelector("[data-all]")?.disabled === false;
  bar.querySelector("[data-count]").textContent = matching ? `All ${total(bar)} selected` : `${chosen.length} selected`;
  const more = bar.querySelector("[data-select-matching]");
  if (more) more.hidden = matching || (Boolean(head) && chosen.length < all.length); // without a head it is the only way to all
}

function total(bar) {
  return bar.dataset.total ?? (document.getElementById("title-count")?.textContent.trim().split(" ")[0] || "that match");
}
