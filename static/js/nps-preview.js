/* The survey as it will look, drawn by the very script that customers' pages load. */
const place = document.querySelector("[data-nps-preview]");
const form = place && document.getElementById(place.dataset.npsPreview);

const draw = () => {
  const value = (name) => form.elements[name].value;
  const accent = /^#[0-9a-f]{6}$/i.test(value("accent")) ? value("accent") : "#2f54d0";
  window.csNps?.preview(place, {
    question: value("question"),
    follow_up: value("follow_up"),
    thanks: value("thanks"),
    theme: { accent, position: value("position"), appearance: value("appearance") },
  });
};

if (form) {
  form.addEventListener("input", draw);
  draw();
}
