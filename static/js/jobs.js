// The strip of a job that was started from this page: HX-Trigger: {"job:started": {"address": …}} fills it, and it
// then asks for itself until the job is over (templates/jobs/_strip.html).

const strip = document.getElementById("job-strip");

document.addEventListener("job:started", ({ detail }) => {
  htmx.ajax("GET", detail.address, { source: strip, target: strip, swap: "innerHTML" });
});

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-strip-close]")) strip.replaceChildren();
});
