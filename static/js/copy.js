/* <button data-copy="id"> copies the text of that element. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    document.body.dispatchEvent(new CustomEvent("toast", { bubbles: true, detail: { text: "Copied" } }));
  } catch {
    getSelection()?.selectAllChildren(document.getElementById(button.dataset.copy));
  }
});
