// A notification is read once its link is followed; the request goes out beside the page that is left.

document.addEventListener("click", (event) => read(event));
document.addEventListener("auxclick", (event) => event.button === 1 && read(event));

function read({ target }) {
  const link = target.closest("a[data-read]");
  if (!link) return;
  const body = new FormData();
  body.set("csrfmiddlewaretoken", link.closest("li").querySelector("[name=csrfmiddlewaretoken]").value);
  navigator.sendBeacon(link.dataset.read, body);
}
