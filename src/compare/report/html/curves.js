// Lines over seconds or images, with bands, labels at their ends, and what they are where one points.

const MARKS = 10; // a line has about so many
const LABEL = 13; // pixels between labels
const logs = new Set(); // figures on a log scale

// A figure of lines. `options`: caption, height, y (texts of values), x {name, show}, lines() → [{group, groups, points: [{x, y, d}]}],
// range(lines, log) → [low, high], target, canLog.
function curves(host, options) {
  let log = logs.has(options.id);
  const canvas = draw("svg", { class: "chart", tabindex: "0", role: "img", "aria-label": `${options.caption}; arrow keys move a cursor` });
  const switchLog = make("button", { type: "button", "aria-pressed": String(log), onclick: () => {
    log = !log;
    if (!logs.delete(options.id)) logs.add(options.id);
    switchLog.setAttribute("aria-pressed", String(log));
    paint();
  } }, "log scale");
  const figure = make("figure", {}, make("figcaption", {}, options.caption, options.canLog ? switchLog : null), canvas);
  host.append(figure);
  let view = null;

  function paint() {
    hide();
    view = layout(figure, canvas, options, log);
    canvas.replaceChildren(...frame(view, options), ...view.lines.flatMap((line) => strokes(view, line)), ...labels(view));
  }
  const stops = () => {
    const longest = view.lines.reduce((best, line) => (line.points.length > best.length ? line.points : best), []);
    return longest.map((point) => [view.px(point.x), view.py(point.y)]);
  };
  const hide = hover(figure, canvas, (x, y) => view && pointed(view, options, x, y), stops);
  painters.push(paint);
}

function layout(figure, canvas, options, log) {
  const width = Math.max(260, figure.clientWidth);
  const { height } = options;
  canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
  canvas.setAttribute("height", height);
  const lines = options.lines().filter((line) => line.points.length > 0);
  const box = { left: 52, top: 8, right: width - (groups.length > 1 ? 46 : 16), bottom: height - 36 };
  const ends = lines.map((line) => line.points[line.points.length - 1].x);
  const x = scale(0, Math.max(0, ...ends) || 1, false, options.x.time);
  const [low, high] = options.range(lines, log);
  const y = scale(low, high, log && low > 0);
  return {
    box, lines, x, y,
    px: (v) => box.left + x.unit(v) * (box.right - box.left),
    py: (v) => box.bottom - y.unit(v) * (box.bottom - box.top),
  };
}

function frame({ box, x, y, px, py }, options) {
  const clip = draw("clipPath", { id: `clip-${options.id}` },
    draw("rect", { x: box.left, y: box.top - 2, width: box.right - box.left + 6, height: box.bottom - box.top + 4 }));
  const across = y.ticks(5).map((t) => [
    draw("line", { class: "gridline", x1: box.left, x2: box.right, y1: py(t), y2: py(t) }),
    draw("text", { x: box.left - 7, y: py(t) + 4, "text-anchor": "end" }, options.y.tick(t)),
  ]);
  const along = x.ticks(Math.max(2, (box.right - box.left) / 95)).map((t) => [
    draw("line", { class: "axis", x1: px(t), x2: px(t), y1: box.bottom, y2: box.bottom + 4 }),
    draw("text", { x: px(t), y: box.bottom + 17, "text-anchor": "middle" }, (options.x.tick ?? options.x.show)(t)),
  ]);
  const target = options.target === null || options.target === undefined ? [] : [
    draw("line", { class: "target", x1: box.left, x2: box.right, y1: py(options.target), y2: py(options.target) }),
    draw("text", { x: box.left + 4, y: py(options.target) - 4 }, `target ${options.y.show(options.target)}`),
  ];
  return [clip, across, along, target,
    draw("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }),
    draw("text", { x: box.right, y: box.bottom + 32, "text-anchor": "end" }, options.x.name)].flat(3);
}

function strokes({ px, py, lines }, line) {
  const { colour, dash } = looks[line.group];
  const clip = `url(#clip-${line.chart})`;
  const at = (p, y) => `${px(p.x).toFixed(1)} ${py(y).toFixed(1)}`;
  const banded = line.points.filter((p) => p.d !== null && p.d !== undefined);
  const parts = [];
  if (banded.length > 1 && lines.length <= COLOURS) {
    const up = banded.map((p) => at(p, bounded(p.y + p.d)));
    const down = banded.map((p) => at(p, bounded(p.y - p.d))).reverse();
    parts.push(draw("path", { class: `band ${colour}`, d: `M${[...up, ...down].join("L")}Z`, "clip-path": clip }));
  }
  const path = line.points.map((p) => at(p, p.y)).join("L");
  parts.push(draw("path", { class: `line ${colour}`, d: `M${path}`, "stroke-dasharray": dash, "clip-path": clip }));
  const every = line.points.length / MARKS;
  const marked = every <= 1.5 ? line.points : Array.from({ length: MARKS }, (_, i) => line.points[Math.floor((i + 0.6) * every)]);
  const marks = marked.map((p) => dot(line.group, px(p.x), py(p.y), 3.4));
  parts.push(draw("g", { "clip-path": clip }, marks));
  return parts;
}

const bounded = (y) => (data.scale === "percent" ? Math.min(1, Math.max(0, y)) : y);

// `#6` at the ends of lines, moved apart; where they are too many, the best ones.
function labels({ px, py, box, lines }) {
  if (groups.length < 2) return [];
  const most = Math.floor((box.bottom - box.top) / LABEL);
  const ends = lines.slice(0, most).map((line) => {
    const end = line.points[line.points.length - 1];
    const others = line.groups.length - 1;
    return { line, x: px(end.x), y: Math.min(box.bottom, Math.max(box.top, py(end.y))), text: `#${line.group + 1}${others > 0 ? ` +${others}` : ""}` };
  });
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((end, i) => { if (i > 0) end.y = Math.max(end.y, ends[i - 1].y + LABEL); });
  for (let i = ends.length - 1, floor = box.bottom + 4; i >= 0; i -= 1, floor -= LABEL) ends[i].y = Math.min(ends[i].y, floor);
  return ends.map((end) =>
    draw("text", { class: `strong ${looks[end.line.group].colour}`, x: Math.min(box.right, end.x) + 8, y: end.y + 4 }, end.text));
}

function pointed({ box, lines, px, py, x }, options, left, top) {
  if (left < box.left - 8 || left > box.right + 8) return null;
  const reach = 0.04 * (box.right - box.left);
  const nearest = (line) => line.points.reduce((best, p) => (Math.abs(px(p.x) - left) < Math.abs(px(best.x) - left) ? p : best));
  const found = lines.map((line) => ({ line, p: nearest(line) }));
  const closest = Math.min(...found.map(({ p }) => Math.abs(px(p.x) - left)));
  const here = found.filter(({ p }) => Math.abs(px(p.x) - left) <= closest + reach);
  if (here.length === 0) return null;
  here.sort((a, b) => py(a.p.y) - py(b.p.y));
  const distance = ({ p }) => Math.hypot(px(p.x) - left, py(p.y) - top);
  const near = here.reduce((best, one) => (distance(one) < distance(best) ? one : best));
  const first = Math.max(0, Math.min(here.indexOf(near) - 5, here.length - 10));
  const rows = here.slice(first, first + 10).map((one) => ({
    group: one.line.group, near: one === near,
    text: `${one.line.groups.map((k) => `#${k + 1}`).slice(0, 6).join(" ")}  ${options.y.say(one.p)}`,
  }));
  if (here.length > rows.length) rows.push({ text: `and ${here.length - rows.length} more` });
  const at = px(near.p.x);
  return {
    at: [at, top], head: `${options.x.show(near.p.x)} ${options.x.unit}`.trim(), rows,
    marks: [draw("line", { class: "cursor", x1: at, x2: at, y1: box.top, y2: box.bottom }),
      ...here.map(({ line, p }) => dot(line.group, px(p.x), Math.min(box.bottom, py(p.y)), 5))],
  };
}

// The metric of the groups that are shown, over `key` (seconds or images).
function metricLines(key, chart) {
  return data.ranking.filter((k) => shown.has(k)).map((k) => {
    const { curve } = groups[k];
    const points = curve.mean.map((y, i) => ({ x: curve[key][i], y, d: curve.deviation[i] }));
    return { group: k, groups: [k], chart, points: points.filter((p) => p.y !== null && p.x !== null) };
  });
}

// From the later evaluations' worst to all evaluations' best: runs differ at their ends.
function metricRange(lines) {
  const later = lines.flatMap(({ points }) => points.slice(points.length >= 6 ? Math.floor(points.length / 3) : 0));
  const all = lines.flatMap(({ points }) => points);
  const [worst, best] = data.lower ? [all, later] : [later, all];
  const low = Math.min(...worst.map((p) => bounded(p.y - (p.d ?? 0))), data.target ?? Infinity);
  const high = Math.max(...best.map((p) => bounded(p.y + (p.d ?? 0))), data.target ?? -Infinity);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const room = 0.04 * (high - low);
  return [low - room, high + room];
}

// Equal schedules are one line, which the best of their groups stands for.
function scheduleLines(key, chart) {
  const lines = new Map();
  for (const k of data.ranking.filter((one) => shown.has(one) && groups[one].schedule !== null)) {
    const points = data.schedules[groups[k].schedule][key];
    const same = JSON.stringify(points);
    if (lines.has(same)) lines.get(same).groups.push(k);
    else lines.set(same, { group: k, groups: [k], chart, points: points.map(([x, y]) => ({ x, y })) });
  }
  return [...lines.values()];
}

function scheduleRange(lines, log) {
  const values = lines.flatMap(({ points }) => points.map((p) => p.y));
  if (values.length === 0) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (log && low > 0) return [low * 0.9, high * 1.1];
  const close = low > 0 && high > low && high - low < 0.3 * high;
  return close ? [low - 0.05 * (high - low), high + 0.05 * (high - low)] : [Math.min(0, low), high * 1.05 || 1];
}

function allCurves(host) {
  if (groups.length === 0) return;
  const images = { name: "images trained on", unit: "images", show: count };
  const seconds = { name: "training time", unit: "", show: span, tick: spanTick, time: true };
  const y = { tick: axisValue, show: value, say: (p) => spread(p.y, p.d) };
  const grid = make("div", { class: "grid" });
  host.append(grid);
  for (const [key, x, over] of [["seconds", seconds, "training time"], ["images", images, "images"]]) {
    curves(grid, { id: key, caption: `${data.caption} over ${over}`, height: 340, x, y, target: data.target,
      lines: () => metricLines(key, key), range: metricRange });
  }
  if (data.schedules.length === 0) return;
  const plain = { tick: short, show: short, say: (p) => short(p.y) };
  for (const [key, caption] of [["lr", "learning rate"], ["momentum", "momentum"]]) {
    curves(grid, { id: key, caption: `${caption} over images`, height: 230, x: images, y: plain, canLog: key === "lr",
      lines: () => scheduleLines(key, key), range: scheduleRange });
  }
}
