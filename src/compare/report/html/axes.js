// What was varied against what came of it: a scatter for each axis, and parallel coordinates with brushes.

const brushes = new Map(); // axis's name → [low, high], from 0 at its bottom to 1 at its top

function scatter(host, axis) {
  const canvas = draw("svg", { class: "chart", tabindex: "0", role: "img", "aria-label": `${data.objective} over ${axis.name}; arrow keys move through groups` });
  const figure = make("figure", {}, make("figcaption", {}, axis.name), canvas);
  host.append(figure);
  const each = groups.flatMap((_, k) => counted(k).map(objectiveOf));
  const [across, up] = [axisOf(axis.values), objectiveAxis(each)];
  let marks = [];

  function paint() {
    hide();
    const width = Math.max(240, figure.clientWidth);
    const height = 220;
    canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
    canvas.setAttribute("height", height);
    const box = { left: 56, right: width - 22, top: 10, bottom: height - 26 };
    const px = (t) => box.left + 14 + t * (box.right - box.left - 28);
    const py = (t) => box.bottom - 6 - t * (box.bottom - box.top - 12);
    // Groups with equal values stand side by side.
    const slide = (k) => (across.stops.length > 8 ? 0 : ((data.ranking.indexOf(k) % 7) - 3) * 3);
    marks = data.ranking.filter((k) => Number.isFinite(up.unit(k)))
      .map((k) => ({ k, x: px(across.unit(k)) + slide(k), y: py(up.unit(k)) }));
    const grid = up.ticks.map((t) => [
      draw("line", { class: "gridline", x1: box.left, x2: box.right, y1: py(t.unit), y2: py(t.unit) }),
      draw("text", { x: box.left - 6, y: py(t.unit) + 4, "text-anchor": "end" }, t.text)]);
    const fit = Math.max(3, Math.floor((box.right - box.left) / Math.max(1, across.ticks.length) / 7));
    const names = across.ticks.map((t) => {
      const text = draw("text", { x: px(t.unit), y: box.bottom + 17, "text-anchor": "middle" }, cut(t.text, fit));
      text.append(draw("title", {}, t.text));
      return text;
    });
    const back = [...marks].reverse();
    const dots = [...back.filter((m) => !shown.has(m.k)), ...back.filter((m) => shown.has(m.k))]
      .map(({ k, x, y }) => dot(k, x, y, 4.6, !shown.has(k)));
    const seeds = marks.filter((m) => shown.has(m.k) && counted(m.k).length > 1).flatMap(({ k, x }) => counted(k).map((run) =>
      draw("circle", { class: `seed ${looks[k].colour}`, cx: x + 9, cy: py(up.at(objectiveOf(run))), r: 2.2 })));
    canvas.replaceChildren(...grid.flat(), draw("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }), ...names, ...seeds, ...dots);
  }
  const find = (x, y) => {
    const distance = (m) => Math.hypot(m.x - x, m.y - y);
    if (marks.length === 0) return null;
    const near = marks.reduce((best, m) => (distance(m) < distance(best) ? m : best));
    return distance(near) > 30 ? null : {
      at: [near.x, near.y], head: `#${near.k + 1} ${label(near.k)}`, rows: told(near.k), marks: [dot(near.k, near.x, near.y, 7)],
    };
  };
  const stops = () => [...marks].sort((a, b) => a.x - b.x || a.y - b.y).map((m) => [m.x, m.y]);
  const hide = hover(figure, canvas, find, stops);
  painters.push(paint);
}

// A group's objective, and that of each of its runs.
function told(k) {
  const runs = counted(k).map((run) => ({ text: `seed ${run.seed}: ${objectiveText(objectiveOf(run))}` }));
  const mean = data.by === "time" ? objectiveText(objective(k)) : spread(objective(k), summary(k)?.sd);
  return [{ group: k, near: true, text: mean }, ...(runs.length > 1 ? runs.slice(0, 6) : []),
    ...(runs.length > 6 ? [{ text: `and ${runs.length - 6} more` }] : [])];
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text);

function brushed() {
  if (brushes.size === 0) return show(foremost);
  const inside = (k) => [...brushes].every(([name, [low, high]]) => {
    const t = parallelAxes.find((axis) => axis.name === name)?.unit(k);
    return t >= low - 1e-9 && t <= high + 1e-9;
  });
  return show(() => data.ranking.filter(inside), true);
}

// The brushes in values, for when scales change: of words those inside, of numbers the two ends. Dragged to an end of its axis, a brush
// ends where the axis does, wherever that is by then.
function heldBrushes() {
  return [...brushes].flatMap(([name, [low, high]]) => {
    const axis = parallelAxes.find((one) => one.name === name);
    if (!axis) return [];
    const value = (t) => (low < high && (t === 0 || t === 1) ? null : axis.back(t));
    const inside = (word) => axis.at(word) >= low - 1e-9 && axis.at(word) <= high + 1e-9;
    return [axis.words ? { name, words: axis.words.filter(inside) } : { name, ends: [value(low), value(high)] }];
  });
}

// Puts them back on axes that may be others; a brush whose axis or words are gone is gone, too.
function regainBrushes(held) {
  brushes.clear();
  for (const { name, words, ends } of held) {
    const axis = parallelAxes.find((one) => one.name === name);
    const places = (words ?? []).filter((word) => axis?.words?.includes(word)).map((word) => axis.at(word));
    if (places.length > 0) brushes.set(name, [Math.min(...places), Math.max(...places)]);
    if (ends && axis?.back) brushes.set(name, ends.map((value, end) => (value === null ? end : axis.at(value))));
  }
}

let parallelAxes = [];

function parallel(host) {
  parallelAxes = [...data.axes.map((axis) => ({ name: axis.name, ...axisOf(axis.values) })), { name: data.objective, ...objectiveAxis() }];
  const canvas = draw("svg", { class: "chart", "aria-label": "parallel coordinates", role: "group" });
  const inner = make("div", {}, canvas);
  const figure = make("figure", {}, make("div", { class: "scroll" }, inner));
  host.append(figure);
  const height = 300;
  const top = 34;
  const bottom = height - 16;
  const py = (t) => bottom - t * (bottom - top);
  const back = (y) => Math.min(1, Math.max(0, (bottom - y) / (bottom - top)));
  let places = [];

  function paint() {
    const focused = [...canvas.querySelectorAll(".grip")].indexOf(document.activeElement);
    const width = Math.max(figure.clientWidth, 120 * parallelAxes.length);
    inner.style.width = `${width}px`;
    canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
    canvas.setAttribute("height", height);
    const gap = (width - 130) / Math.max(1, parallelAxes.length - 1);
    places = parallelAxes.map((_, i) => 58 + i * gap);
    const known = data.ranking.filter((k) => parallelAxes.every((axis) => Number.isFinite(axis.unit(k)))).reverse();
    const line = (k) => {
      const d = `M${parallelAxes.map((axis, i) => `${places[i].toFixed(1)} ${py(axis.unit(k)).toFixed(1)}`).join("L")}`;
      const on = shown.has(k);
      const stroke = draw("path", { class: `line ${on ? looks[k].colour : "off"}`, d, "stroke-dasharray": on ? looks[k].dash : "" });
      stroke.append(draw("title", {}, `#${k + 1} ${label(k)}: ${objectiveText(objective(k))}`));
      return stroke;
    };
    const lines = [...known.filter((k) => !shown.has(k)), ...known.filter((k) => shown.has(k))].map(line);
    const ends = known.filter((k) => shown.has(k))
      .map((k) => dot(k, places[places.length - 1], py(parallelAxes[parallelAxes.length - 1].unit(k)), 4.2));
    canvas.replaceChildren(...lines, ...ends, ...parallelAxes.flatMap((axis, i) => axisMarks(axis, i, gap)));
    if (focused >= 0) canvas.querySelectorAll(".grip")[focused].focus();
  }

  function axisMarks(axis, i, gap) {
    const x = places[i];
    const last = i === parallelAxes.length - 1;
    const title = draw("text", { class: "strong", x, y: 16, "text-anchor": i === 0 ? "start" : last ? "end" : "middle", dx: i === 0 ? -50 : last ? 60 : 0 },
      cut(axis.name, Math.max(8, Math.floor(gap / 7.2))));
    title.append(draw("title", {}, axis.name));
    const ticks = axis.ticks.map((t) => draw("text", { x: last ? x + 9 : x - 9, y: py(t.unit) + 4, "text-anchor": last ? "start" : "end" }, cut(t.text, 9)));
    // What a person chose may lie beyond what there is by now.
    const range = brushes.get(axis.name)?.map((t) => Math.min(1, Math.max(0, t)));
    const brush = range && draw("rect", { class: "brush", x: x - 9, width: 18, y: py(range[1]) - 4, height: py(range[0]) - py(range[1]) + 8 });
    const grip = draw("rect", {
      class: "grip", x: x - 16, y: top - 10, width: 32, height: bottom - top + 20, tabindex: "0", role: "slider", "data-axis": i,
      "aria-label": `${axis.name}: drag, or arrow keys, to choose`, "aria-valuetext": range ? `${said(axis, range)}` : "all",
      "aria-valuenow": range ? range[1].toFixed(2) : 1, "aria-valuemin": 0, "aria-valuemax": 1,
      onpointerdown: (event) => drag(event, axis.name), onkeydown: (event) => step(event, axis),
    });
    return [draw("line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom }), title, ...ticks, brush, grip].filter(Boolean);
  }

  const said = (axis, [low, high]) => {
    const inside = axis.ticks.filter((t) => t.unit >= low - 1e-9 && t.unit <= high + 1e-9).map((t) => t.text);
    return inside.join(", ") || `${low.toFixed(2)} to ${high.toFixed(2)}`;
  };

  function drag(event, axis) {
    event.preventDefault();
    const height = (e) => back(e.clientY - canvas.getBoundingClientRect().top);
    const from = height(event);
    brushes.delete(axis);
    const move = (e) => {
      const to = height(e);
      if (Math.abs(to - from) > 0.02) brushes.set(axis, [Math.min(from, to), Math.max(from, to)]);
      else brushes.delete(axis);
      brushed();
    };
    const end = (e) => {
      move(e);
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  // Up and down go through the values; with Shift the brush grows; Escape takes it away.
  function step(event, axis) {
    const { name } = axis;
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Delete") brushes.delete(name);
    else if (!by) return;
    else {
      const stops = [...new Set(axis.stops)].sort((a, b) => a - b);
      const [low, high] = brushes.get(name) ?? (by > 0 ? [-1, -1] : [2, 2]);
      const beyond = by > 0 ? stops.find((s) => s > high + 1e-9) ?? stops[stops.length - 1] : [...stops].reverse().find((s) => s < low - 1e-9) ?? stops[0];
      const grown = event.shiftKey && brushes.has(name);
      brushes.set(name, grown ? [Math.min(low, beyond), Math.max(high, beyond)] : [beyond, beyond]);
    }
    event.preventDefault();
    brushed();
  }
  painters.push(paint);
}

function allAxes(host) {
  const known = groups.filter((_, k) => Number.isFinite(objective(k))).length;
  parallelAxes = [];
  if (data.axes.length === 0 || known < 2) return;
  host.append(make("h2", {}, `What was varied, and ${data.objective}`));
  if (data.axes_left_out > 0) host.append(make("p", { class: "quiet" }, `${data.axes_left_out} further settings differ: they are not drawn here, but listed below.`));
  host.append(make("p", { class: "quiet" }, "Drag along an axis, or focus it and use the arrow keys, to show the groups that pass there in all pictures; click it, or press Escape, to let go."));
  parallel(host);
  const grid = make("div", { class: "grid small" });
  if (groups.some((_, k) => counted(k).length > 1)) host.append(make("p", { class: "quiet" }, "Marks are means over seeds; the small dots beside them are the runs."));
  host.append(grid);
  data.axes.forEach((axis) => scatter(grid, axis));
}
