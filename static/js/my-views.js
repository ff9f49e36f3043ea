// The numbers beside the views of the sidebar come a moment after the page, which would have them flicker from page to page.
// Until then those stand there that this tab showed last. No module: it is there before the page is, and what it finds being
// read in is filled before it is drawn.

{
  const STORED = "my-views";
  const last = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
  const readIn = new MutationObserver(fill);

  readIn.observe(document, { childList: true, subtree: true });
  document.addEventListener("DOMContentLoaded", () => readIn.disconnect());
  addEventListener("pagehide", keep);

  function fill() {
    if (asks() !== last.asks) return;
    for (const place of places()) if (!place.firstChild) show(place, last.shown[place.id]);
  }

  function keep() {
    const shown = places().filter((place) => place.firstChild);
    const said = shown.map((place) => [place.id, [place.firstChild.textContent, place.lastChild.textContent]]);
    sessionStorage.setItem(STORED, JSON.stringify({ asks: asks(), shown: Object.fromEntries(said) }));
  }

  function show(place, said) {
    if (!said) return;
    const noun = document.createElement("span");
    noun.className = "sr";
    noun.textContent = said[1];
    place.replaceChildren(said[0], noun);
  }

  // Who asks for numbers, and of which views: their address says both.
  function asks() {
    return document.getElementById("my-views")?.getAttribute("hx-get");
  }

  function places() {
    return [...document.querySelectorAll("[id^='tally-view-']")];
  }
}
