
/* time */
const time = one(".time"), player = one(".play");
const frames = Array.from({length: Number(time.max) + 1}, () => []);
for (const part of all("[data-frame]")) frames[part.dataset.frame].push(part);
const labels = all(".when [data-frame]");
const SLOWEST = 500, FASTEST = 33, USUAL = 100; /* milliseconds a frame */
let now = 0, timer = 0;

function cursor() {
  for (const line of all(".cursor")) {
    line.setAttribute("x1", labels[now].dataset.x);
    line.setAttribute("x2", labels[now].dataset.x);
  }
  time.value = now;
  time.setAttribute("aria-valuetext", labels[now].textContent);
}
function go(to) {
  const next = Math.min(frames.length - 1, Math.max(0, to));
  for (const part of frames[now]) part.hidden = true;
  for (const part of frames[next]) part.hidden = false;
  now = next;
  cursor();
}
function decoded(place) {
  const images = frames[place].flatMap(part => all("img", part));
  return Promise.all(images.map(picture => picture.decode().catch(() => null)));
}
function wait() {
  const [at, next] = [now, now + 1].map(place => Number(labels[place]?.dataset.at ?? NaN));
  return next > at ? Math.min(SLOWEST, Math.max(FASTEST, 1000 * (next - at))) : USUAL;
}
function tick() {
  const next = (now + 1) % frames.length;
  const pause = new Promise(resolve => { timer = setTimeout(resolve, wait()); });
  const mine = timer;
  Promise.all([pause, decoded(next)]).then(() => {
    if (timer !== mine) return;
    go(next);
    tick();
  });
}
function play(on) {
  if (frames.length === 1) return;
  toggle(player, on);
  player.textContent = on ? "Pause" : "Play";
  clearTimeout(timer);
  timer = 0;
  if (on) tick();
}
function seek(to) {
  play(false);
  go(to);
}
player.addEventListener("click", () => play(!timer));
time.addEventListener("input", () => seek(Number(time.value)));
for (const plot of all(".plot svg")) {
  let held = false;
  const point = event => {
    const bounds = plot.getBoundingClientRect();
    const x = 1000 * (event.clientX - bounds.left) / bounds.width;
    const distances = labels.map(label => Math.abs(label.dataset.x - x));
    seek(distances.indexOf(Math.min(...distances)));
  };
  plot.addEventListener("pointerdown", event => {
    if (event.button) return;
    held = true;
    plot.setPointerCapture(event.pointerId);
    point(event);
  });
  plot.addEventListener("pointermove", event => held && point(event));
  for (const end of ["pointerup", "pointercancel"]) plot.addEventListener(end, () => { held = false; });
}
document.addEventListener("keydown", event => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const scrolls = event.target.closest("pre"), presses = event.target.closest("button, .together");
  const steps = {ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: frames.length - 1};
  if (event.target === time) Object.assign(steps, {ArrowDown: now - 1, ArrowUp: now + 1});
  if (event.key in steps && !scrolls) {
    event.preventDefault();
    seek(steps[event.key]);
  } else if (event.key === " " && !presses) {
    event.preventDefault();
    play(!timer);
  }
});
cursor();
