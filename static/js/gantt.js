// Bars of a Gantt chart, moved by pointer or by keys: arrows one day, with Shift a week; the grip, or Alt, moves the end.
// What a bar says is sent once it rests; the page then comes again as the server sees it.

const REST_MS = 700;
const DAY_MS = 86_400_000;
let resting;
let waiting = null;

const chart = () => document.getElementById("gantt");
const later = (day, days) => new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);

document.addEventListener("keydown", (event) => {
  const bar = event.target.closest?.("[data-bar]");
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!bar || !step || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  shift(bar, step * (event.shiftKey ? 7 : 1), event.altKey);
  rest(bar);
});

document.addEventListener("focusout", ({ target }) => {
  if (waiting && target === waiting) send();
});

document.addEventListener("pointerdown", (event) => {
  const bar = event.target.closest?.("[data-bar]");
  if (!bar || event.button) return;
  const day = (bar.parentElement.clientWidth * Number(chart().dataset.day)) / 100;
  const onlyEnd = Boolean(event.target.closest("[data-grip]"));
  let moved = 0;
  const follow = ({ clientX }) => {
    const days = Math.round((clientX - event.clientX) / day);
    shift(bar, days - moved, onlyEnd);
    moved = days;
  };
  const stop = () => {
    bar.removeEventListener("pointermove", follow);
    if (moved) rest(bar, 0);
  };
  bar.setPointerCapture(event.pointerId);
  bar.addEventListener("pointermove", follow);
  bar.addEventListener("pointerup", stop, { once: true });
  bar.addEventListener("pointercancel", stop, { once: true });
});

// The end never comes before the start.
function shift(bar, days, onlyEnd) {
  const { start, due } = bar.dataset;
  const end = later(due, days);
  if (!days || (onlyEnd && end < start)) return;
  bar.dataset.due = end;
  if (!onlyEnd) bar.dataset.start = later(start, days);
  const width = Number(chart().dataset.day) * days;
  const property = onlyEnd ? "--w" : "--a";
  bar.style.setProperty(property, Number(bar.style.getPropertyValue(property)) + width);
  bar.setAttribute("aria-label", `${bar.dataset.name}, ${bar.dataset.start} to ${bar.dataset.due}`);
  link();
}

function rest(bar, after = REST_MS) {
  waiting = bar;
  clearTimeout(resting);
  resting = setTimeout(send, after);
}

function send() {
  clearTimeout(resting);
  const bar = waiting;
  waiting = null;
  if (!bar) return;
  const values = { start_on: bar.dataset.start, due_on: bar.dataset.due };
  htmx.ajax("POST", bar.dataset.bar, { source: document.body, swap: "none", values });
}

// Lines from where one objective ends to where the one that waits for it begins.
function link() {
  const svg = document.querySelector("[data-gantt-links]");
  if (!svg) return;
  const origin = svg.getBoundingClientRect();
  const bar = (lane) => lane?.querySelector(".bar")?.getBoundingClientRect();
  const paths = [...document.querySelectorAll("[data-needs]")].flatMap((lane) =>
    lane.dataset.needs.split(" ").map((id) => path(bar(document.querySelector(`[data-lane="${CSS.escape(id)}"]`)), bar(lane), origin)),
  );
  svg.replaceChildren(...paths.filter(Boolean));
}

function path(from, to, origin) {
  if (!from || !to) return null;
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const [x1, y1] = [from.right - origin.left, from.top + from.height / 2 - origin.top];
  const [x2, y2] = [to.left - origin.left, to.top + to.height / 2 - origin.top];
  const turn = Math.max(x1 + 8, Math.min(x1 + 8, x2 - 8));
  const back = x2 - 8 < turn;
  const middle = y2 - Math.sign(y2 - y1) * 18;
  line.setAttribute("d", back ? `M${x1} ${y1}H${turn}V${middle}H${x2 - 8}V${y2}H${x2}` : `M${x1} ${y1}H${turn}V${y2}H${x2}`);
  line.classList.toggle("late", back);
  return line;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-gantt-today]")) toToday("smooth");
});

function toToday(behavior) {
  document.getElementById("gantt-today")?.scrollIntoView({ behavior, block: "nearest", inline: "center" });
}

// Opened where today is out of sight, it begins there; afterwards it stays where it is scrolled to.
function begin() {
  const [side, line] = [document.querySelector("[data-gantt-scroll]"), document.getElementById("gantt-today")];
  if (!side || !line || side.dataset.begun) return;
  side.dataset.begun = "1";
  const at = line.getBoundingClientRect().left - side.getBoundingClientRect().left;
  if (at > side.clientWidth) side.scrollLeft = at - side.clientWidth / 2;
}

document.addEventListener("htmx:after:settle", () => {
  begin();
  link();
});
addEventListener("resize", link);
begin();
link();
