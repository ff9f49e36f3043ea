// The drawer stands beside the page and is not modal: a fragment put into it opens it, its close link empties it.

const drawer = document.getElementById("drawer");
let opener = null;

const row = (element) => element?.closest("tr, li");

document.addEventListener("htmx:after:settle", ({ target, detail }) => {
  if (target !== drawer) return;
  remember(detail.task?.sourceElement);
  drawer.hidden = false;
  opener?.scrollIntoView({ block: "nearest", inline: "center" }); // the page just became narrower
  focusHeading();
});

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
  close(drawer.querySelector("[data-close-drawer]")?.href);
});

document.addEventListener("drawer:close", () => close(drawer.querySelector("[data-close-drawer]")?.href));

// Previous and Next stand inside the drawer: the row to return to stays the one it was opened from.
function remember(source) {
  if (!source || drawer.contains(source)) return;
  row(opener)?.removeAttribute("aria-current");
  opener = source;
  row(opener)?.setAttribute("aria-current", "true");
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
  row(opener)?.removeAttribute("aria-current");
  if (opener?.isConnected) opener.focus();
  opener = null;
}
