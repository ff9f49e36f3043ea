// Toasts come with the page (messages) or with a response header: HX-Trigger: {"toast": {"text": …, "undo": address}}.
// They leave after ten seconds, but not while someone points at them or has the focus in them.

const SHOWN_MS = 10_000;
const FAILED = "The server did not answer. Try again.";
const region = document.getElementById("toasts");
const blank = (tone) => document.getElementById(tone === "bad" ? "toast-bad" : "toast").content.firstElementChild;

document.addEventListener("toast", ({ detail }) => show(detail));
for (const toast of region.children) live(toast);

// A request without an answer leaves the page as it was, so it has to be said.
document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.error?.name !== "AbortError") show({ text: FAILED, tone: "bad" });
});

function show({ text, value, undo, tone }) {
  const toast = blank(tone).cloneNode(true);
  toast.querySelector("[data-text]").textContent = text ?? value;
  if (undo) toast.append(undoButton(undo, toast));
  region.append(toast);
  live(toast);
}

function undoButton(address, toast) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "push";
  button.textContent = "Undo";
  button.addEventListener("click", () => {
    htmx.ajax("POST", address, { source: document.body, swap: "none" });
    toast.remove();
  });
  return button;
}

function live(toast) {
  let timer;
  const start = () => (timer = setTimeout(() => toast.remove(), SHOWN_MS));
  const stop = () => clearTimeout(timer);
  for (const type of ["pointerenter", "focusin"]) toast.addEventListener(type, stop);
  for (const type of ["pointerleave", "focusout"]) toast.addEventListener(type, start);
  start();
}
