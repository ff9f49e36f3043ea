// From a row of a table to its page, and on to its neighbours: “My book › 3 of 38”, with a way to the row before and after.
// Which list it was is kept in this tab alone, by addresses; a page that was not opened from one shows what the server wrote.

const STORED = "trail";

document.addEventListener("click", ({ target }) => {
  const link = target.closest("[data-trail] [data-open]");
  if (!link) return;
  const links = [...link.closest("[data-trail]").querySelectorAll("[data-open]")];
  const [first] = document.querySelector(".table-foot")?.textContent.match(/[\d,]+/) ?? ["1"];
  const trail = {
    list: location.pathname + location.search,
    label: ownText(document.querySelector(".tabs [aria-current]")),
    first: Number(first.replaceAll(",", "")),
    total: document.querySelector("#title-count")?.textContent.trim() ?? "",
    rows: links.map((one) => one.getAttribute("href")),
  };
  sessionStorage.setItem(STORED, JSON.stringify(trail));
});

document.addEventListener("htmx:after:settle", show);
show();

function show() {
  const crumbs = document.querySelector("#account-head .crumbs, #user-head .crumbs");
  const trail = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
  const at = trail?.rows.indexOf(location.pathname) ?? -1;
  if (!crumbs || at < 0 || crumbs.querySelector("[data-neighbours]")) return;
  const current = crumbs.querySelector("[aria-current]");
  if (trail.label) current.before(anchor(trail.list, trail.label), crumbs.querySelector(".icon").cloneNode(true));
  else crumbs.querySelector("a").href = trail.list;
  current.title = current.textContent;
  current.textContent = trail.total ? `${trail.first + at} of ${trail.total}` : `${trail.first + at}`;
  const neighbours = document.createElement("span");
  neighbours.className = "row gap1 push";
  neighbours.dataset.neighbours = "";
  neighbours.append(...[step(crumbs, trail.rows[at - 1], "left", "["), step(crumbs, trail.rows[at + 1], "right", "]")].filter(Boolean));
  crumbs.append(neighbours);
}

function ownText(tab) {
  return [...(tab?.childNodes ?? [])].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("").trim();
}

function anchor(address, text) {
  const made = document.createElement("a");
  made.href = address;
  made.textContent = text;
  return made;
}

function step(crumbs, address, direction, key) {
  if (!address) return null;
  const made = anchor(address, "");
  const icon = crumbs.querySelector(".icon").cloneNode(true);
  const use = icon.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#chevron-${direction}`));
  made.className = "btn ghost sm square";
  made.dataset.key = key;
  made.title = direction === "left" ? "Previous of the list" : "Next of the list";
  made.setAttribute("aria-label", made.title);
  made.append(icon);
  return made;
}
