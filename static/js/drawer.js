// The drawer stands beside the page and is not modal: a fragment put into it opens it, its close link empties it. One that was
// opened from another (data-back) leads back to it, by its link as by Esc.

const drawer = document.getElementById("drawer");
let opener = null;

const row = (element) => element?.closest("tr, li, [data-row]");

document.addEventListener("htmx:after:settle", ({ target, detail }) => {
  if (target !== drawer) return;
  const source = detail.task?.sourceElement;
  if (source?.matches("[hx-swap=innerMorph]")) return; // shown anew around what somebody is doing in it
  remember(source);
  drawer.hidden = false;
  opener?.scrollIntoView({ block: "nearest", inline: "center" }); // the page just became narrower
  if (!focusLinkTo(source?.dataset.back)) focusHeading();
});

document.addEventListener("htmx:after:settle", () => {
  if (!opener || opener.isConnected) return;
  findOpener();
  if (opener.isConnected && !drawer.hidden) row(opener)?.setAttribute("aria-current", "true");
});

// The list beside was shown anew: the row stays the one the drawer is about.
function findOpener() {
  if (!opener || opener.isConnected) return;
  opener = document.querySelector(`a[href=${JSON.stringify(opener.getAttribute("href"))}]`) ?? opener;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-close-drawer]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  close(link.href);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || drawer.hidden) return;
  if (document.querySelector("dialog[open], [popover]:popover-open")) return;
  event.preventDefault();
  const back = drawer.querySelector("[data-back]");
  if (back) back.click();
  else close(drawer.querySelector("[data-close-drawer]")?.href);
});

document.addEventListener("drawer:close", () => close(drawer.querySelector("[data-close-drawer]")?.href));

// What leads from one drawer to another stands inside, or stood there: the row to return to stays the one it was opened from.
function remember(source) {
  if (!source?.isConnected || drawer.contains(source) || !source.matches("a, button")) return;
  row(opener)?.removeAttribute("aria-current");
  opener = source;
  row(opener)?.setAttribute("aria-current", "true");
}

// Previous and next in the list beside: data-walk is -1 or 1.
document.addEventListener("click", ({ target }) => {
  const step = Number(target.closest("[data-walk]")?.dataset.walk);
  if (!step) return;
  const rows = [...document.querySelectorAll("[data-row]")].filter((one) => one.checkVisibility());
  const next = rows[rows.findIndex((one) => one.hasAttribute("aria-current")) + step];
  next?.querySelector("[data-open]")?.click();
});

// Opened by its address: its row is marked and seen, and the focus goes back there, as if it had been opened by hand.
if (!drawer.hidden) {
  const links = [...document.querySelectorAll("a[hx-target='#drawer']")];
  const first = drawer.querySelector("[data-back]")?.href ?? location.href;
  remember(links.find((link) => link.href === first && link.checkVisibility()));
  opener?.scrollIntoView({ block: "nearest", inline: "center" });
}

// data-focus names the field below that a button leads to.
document.addEventListener("click", ({ target }) => {
  const field = document.getElementById(target.closest("[data-focus]")?.dataset.focus);
  field?.scrollIntoView({ block: "center" });
  field?.focus({ preventScroll: true });
});

// Back from a drawer that was opened in this one: to the link that led there.
function focusLinkTo(address) {
  const link = address && drawer.querySelector(`a[href=${JSON.stringify(address)}]`);
  link?.focus();
  return link;
}

function focusHeading() {
  const heading = drawer.querySelector("h1, h2");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
}

function close(address) {
  drawer.hidden = true;
  drawer.replaceChildren();
  if (address) history.pushState({ htmx: true }, "", address);
  findOpener();
  row(opener)?.removeAttribute("aria-current");
  if (opener?.isConnected) opener.focus();
  opener = null;
}
