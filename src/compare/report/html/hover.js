// What lies under the pointer, a finger or the keyboard's cursor, in words.

const stopped = new Map(); // figure → where the keyboard's cursor is
let lasting = null; // hides what a finger that was lifted had found

// Before a chart tells anew what is under the finger.
window.addEventListener("pointerdown", () => {
  lasting?.();
  lasting = null;
}, true);

// Makes `figure` tell what `find(x, y)` finds in its drawing: `{ at: [x, y], rows, head, marks, cursor }` or null, in pixels. The
// arrow keys move through `stops()`.
function hover(figure, canvas, find, stops) {
  const tip = make("div", { class: "tip", role: "status", hidden: "" });
  figure.append(tip);
  let layer = null;
  const name = canvas.getAttribute("aria-label");

  const hide = () => {
    tip.setAttribute("hidden", "");
    layer?.remove();
    layer = null;
  };
  const tell = (x, y) => {
    hide();
    const found = find(x, y);
    if (!found) return;
    layer = draw("g", { "pointer-events": "none" }, found.marks);
    canvas.append(layer);
    const rows = found.rows.map((row) =>
      make("div", { class: row.near ? "near" : null }, row.group === undefined ? null : swatch(row.group), row.text));
    tip.replaceChildren(make("div", { class: "quiet" }, found.head), ...rows);
    tip.removeAttribute("hidden");
    place(found.at);
  };
  const place = ([x, y]) => {
    const top = canvas.getBoundingClientRect().top - figure.getBoundingClientRect().top;
    const width = figure.clientWidth;
    const left = x + 14 + tip.offsetWidth > width ? x - 14 - tip.offsetWidth : x + 14;
    tip.style.left = `${Math.max(0, Math.min(left, width - tip.offsetWidth))}px`;
    tip.style.top = `${top + Math.max(0, y - tip.offsetHeight / 2)}px`;
  };
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    tell(event.clientX - box.left, event.clientY - box.top);
  };
  canvas.addEventListener("pointermove", under);
  canvas.addEventListener("pointerdown", under);
  canvas.addEventListener("pointerleave", (event) => {
    // A finger is in the way of what it asks for: that stays when it is lifted, until the next touch.
    if (event.pointerType === "touch") lasting = hide;
    else hide();
  });
  canvas.addEventListener("blur", hide);
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const all = stops();
    if (!step || all.length === 0) return undefined;
    event.preventDefault();
    const stop = Math.max(0, Math.min(all.length - 1, (stopped.get(name) ?? -1) + step));
    stopped.set(name, stop);
    return tell(...all[stop]);
  });
  // The figure takes the place of another, which told what the keyboard's cursor was at.
  canvas.addEventListener("retell", () => {
    const at = stops()[stopped.get(name)];
    if (at) tell(...at);
  });
  return hide;
}
