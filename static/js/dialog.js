// Dialogs. A fragment put into #dialog opens it; data-dialog="id" opens one that is already on the page.
// The server closes it with the response header HX-Trigger: dialog:close.

const slot = document.getElementById("dialog");

document.addEventListener("htmx:after:settle", ({ target }) => {
  if (target !== slot || !slot.childElementCount || slot.open) return;
  slot.showModal();
  if (document.activeElement.matches(".dialog-body")) begin();
});

// What is to be filled in, rather than the part that scrolls; where there is only something to confirm, that stays.
function begin() {
  slot.querySelector(".dialog-body :is(input:not([type=hidden], [type=checkbox], [type=radio]), textarea)")?.focus();
}

// The server has something to ask after what it did: HX-Trigger: {"dialog:ask": {"address": …}}.
document.addEventListener("dialog:ask", ({ detail }) => {
  htmx.ajax("GET", detail.address, { source: slot, target: slot, swap: "innerHTML" }); // the source names what is asked for
});

document.addEventListener("dialog:close", () => slot.close());

slot.addEventListener("close", () => slot.replaceChildren());

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog).showModal();
  const closer = event.target.closest("dialog [data-close]");
  if (closer) {
    event.preventDefault();
    closer.closest("dialog").close();
  }
});
