"use strict";
const body = document.body;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);
const cards = one(".cards");
let scroll = 0;

/* sliders */
function place(box, percent) {
  box.style.setProperty("--at", percent + "%");
  const input = one(".at", box);
  input.value = percent;
  input.setAttribute("aria-valuetext", Math.round(percent) + " % original");
  one(".left", box).style.opacity = percent < 14 ? 0 : 1;
  one(".right", box).style.opacity = percent > 86 ? 0 : 1;
}
function move(box, percent) {
  const together = one(".together input").checked;
  const value = Math.min(100, Math.max(0, percent));
  for (const other of together ? all(".both", box.closest(".scene")) : [box]) place(other, value);
}
function point(box, event) {
  const bounds = box.getBoundingClientRect();
  move(box, Math.round(1000 * (event.clientX - bounds.left) / bounds.width) / 10);
}
for (const box of all(".both")) {
  const input = one(".at", box);
  let held = false;
  place(box, 50);
  input.step = "any";
  input.addEventListener("input", () => move(box, Number(input.value)));
  input.addEventListener("keydown", event => {
    const steps = {
      ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2,
      PageDown: -10, PageUp: 10, Home: -100, End: 100,
    };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(box, Number(input.value) + steps[event.key] * (event.shiftKey ? 5 : 1));
  });
  box.addEventListener("pointerdown", event => {
    if (event.button || !box.closest(".open")) return;
    held = true;
    box.setPointerCapture(event.pointerId);
    input.focus({preventScroll: true, focusVisible: false});
    if (event.pointerType === "mouse") event.preventDefault();
    point(box, event);
  });
  box.addEventListener("pointermove", event => held && point(box, event));
  for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, () => { held = false; });
}

/* errors, and larger pictures */
function toggle(button, on) {
  button.setAttribute("aria-pressed", on);
  return on;
}
function errors() {
  const button = one(".tools .errors");
  body.classList.toggle("erring", toggle(button, button.getAttribute("aria-pressed") !== "true"));
}
one(".tools .errors").addEventListener("click", errors);
function zoom() {
  const shown = one(".zoom span"), next = {1: 2, 2: 4, 4: 8, 8: 1}[shown.textContent];
  shown.textContent = next;
  body.style.setProperty("--zoom", next);
  body.classList.toggle("zoomed", next > 1);
}
one(".zoom").addEventListener("click", zoom);
document.addEventListener("pointermove", event => {
  const box = event.target.closest?.(".open .compare");
  if (!box) return;
  const bounds = box.getBoundingClientRect();
  body.style.setProperty("--x", 100 * (event.clientX - bounds.left) / bounds.width + "%");
  body.style.setProperty("--y", 100 * (event.clientY - bounds.top) / bounds.height + "%");
});
for (const button of all(".enlarge")) {
  button.addEventListener("click", () => {
    const on = toggle(button, button.closest(".task").classList.toggle("large"));
    button.textContent = on ? "Reduce" : "Enlarge";
  });
}

/* scenes of a contact sheet */
const scenes = () => all(".scene", cards);
const opened = () => one(".cards > .open");
const back = () => { location.hash = ""; };
function step(by) {
  const order = scenes(), next = order[order.indexOf(opened()) + by];
  if (next) location.replace("#" + next.id);
}
function show() {
  const before = opened(), now = scenes().find(scene => "#" + scene.id === location.hash) ?? null;
  if (before === now) return;
  if (!before) scroll = window.scrollY;
  if (before) before.classList.remove("open");
  body.classList.toggle("opened", Boolean(now));
  if (now) {
    now.classList.add("open");
    const order = scenes(), at = order.indexOf(now);
    for (const button of all(".step")) button.disabled = !order[at + Number(button.dataset.step)];
    window.scrollTo(0, 0);
    one(".name", now).focus({preventScroll: true});
  } else {
    window.scrollTo(0, scroll);
    one(".opener", before).focus({preventScroll: true});
  }
}
function sort(by) {
  const names = new Intl.Collator("en", {numeric: true});
  const keys = {
    name: (a, b) => names.compare(a.dataset.name, b.dataset.name),
    bytes: (a, b) => b.dataset.bytes - a.dataset.bytes,
    error: (a, b) => (a.dataset.psnr ?? 1e9) - (b.dataset.psnr ?? 1e9),
  };
  cards.append(...scenes().sort(keys[by]));
}
function neighbour(card, key) {
  const order = scenes(), at = order.indexOf(card);
  if (key === "ArrowLeft") return order[at - 1];
  if (key === "ArrowRight") return order[at + 1];
  const columns = order.filter(scene => scene.offsetTop === order[0].offsetTop).length;
  return order[at + (key === "ArrowDown" ? columns : -columns)];
}
if (cards) {
  window.addEventListener("hashchange", show);
  for (const button of all(".step")) {
    button.addEventListener("click", () => step(Number(button.dataset.step)));
  }
  for (const input of all(".order input")) input.addEventListener("change", () => sort(input.value));
  show();
}
document.addEventListener("keydown", event => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const card = event.target.closest(".cards .scene:not(.open)");
  const seen = opened() || !cards;
  if (event.key === "z" && seen) zoom();
  else if (event.key === "e" && seen && !body.classList.contains("plain")) errors();
  else if (!cards) return;
  else if (event.key === "Escape" && opened()) back();
  else if (opened() && event.key === "ArrowLeft") step(-1);
  else if (opened() && event.key === "ArrowRight") step(1);
  else if (card && event.key.startsWith("Arrow")) {
    const next = neighbour(card, event.key);
    if (next) {
      event.preventDefault();
      one(".opener", next).focus();
    }
  }
});
