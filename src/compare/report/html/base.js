// The page's data, what is shown of it, and helpers. Numbers in tables come from the report as texts; this script rounds only
// what it draws. Texts of runs enter the document as text nodes and attributes, never as markup.

let data;
let groups;
let report;

const SVG = "http://www.w3.org/2000/svg";
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];
const COLOURS = 8;

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}
const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const looks = [];
const shown = new Set();
let chosen = false; // whether a person chose what is shown, else it is the best
let byBrush = false; // whether brushes chose it, which go on choosing as numbers change
const painters = [];
const repaint = () => painters.forEach((paint) => paint());
const foremost = () => data.ranking.slice(0, COLOURS);

// Makes `next` what the page is about. Groups that were chosen stay so, whatever their numbers have become.
function take(next) {
  const kept = new Set([...shown].map((k) => groups[k].key));
  data = next;
  ({ groups, report } = next);
  // Each group's colour, mark and dash, by its place: the best eight have colours of their own, and all lines whole.
  looks.length = 0;
  data.ranking.forEach((k, place) => {
    const round = Math.floor(place / COLOURS);
    looks[k] = { colour: `c${place % COLOURS}`, shape: place % COLOURS, dash: DASHES[round % DASHES.length], hollow: round % 2 === 1 };
  });
  shown.clear();
  const wanted = chosen ? data.ranking.filter((k) => kept.has(groups[k].key)) : foremost();
  wanted.forEach((k) => shown.add(k));
}

function show(only, brushing = false) {
  chosen = only !== foremost;
  byBrush = brushing;
  shown.clear();
  only().forEach((k) => shown.add(k));
  repaint();
}

function toggle(k) {
  chosen = true;
  byBrush = false;
  if (!shown.delete(k)) shown.add(k);
  repaint();
}

// A group in few words: its values of the axes, where these are few.
function label(k) {
  const few = data.axes.length > 0 && data.axes.length <= 4;
  const words = few ? data.axes.map((axis) => `${axis.name}=${axis.values[k]}`).join(", ") : groups[k].name;
  return groups[k].done ? words : `${words} (not done)`;
}

// As the report writes them.
function value(x) {
  if (x === null || !Number.isFinite(x)) return "–";
  if (data.scale === "percent") return `${(100 * x).toFixed(2)} %`;
  return data.scale === "seconds" ? `${seconds(x)} s` : x.toFixed(4);
}
// At least one decimal, and of small numbers up to four for three digits.
function seconds(s) {
  const more = s === 0 ? 0 : 2 - Math.floor(Math.log10(Math.abs(s)));
  return s.toFixed(Math.min(Math.max(more, 1), 4));
}
const spread = (mean, deviation) =>
  deviation === null || deviation === undefined ? value(mean) : `${value(mean).replace(/ [%s]$/, "")} ± ${value(deviation)}`;
function span(s) {
  if (s < 120) return `${seconds(s)} s`;
  return s < 7200 ? `${(s / 60).toFixed(1)} min` : `${(s / 3600).toFixed(1)} h`;
}
function count(n) {
  if (n < 1e4) return String(Math.round(n));
  return n < 1e6 ? `${(n / 1e3).toFixed(0)} k` : `${(n / 1e6).toFixed(2)} M`;
}
const spanTick = (s) => span(s).replace(/\.?0+ /, " ");
const short = (x) => (x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e6) ? String(Number(x.toPrecision(4))) : x.toExponential(2));

// A mark around the origin; no two of the eight are alike without colour.
function mark(shape, r) {
  const polygon = (n, turn, size) =>
    "M" + Array.from({ length: n }, (_, i) => {
      const angle = turn + (2 * Math.PI * i) / n;
      return `${(size * Math.cos(angle)).toFixed(2)} ${(size * Math.sin(angle)).toFixed(2)}`;
    }).join("L") + "Z";
  const up = -Math.PI / 2;
  const bars = `M${-r} ${-r / 3}H${-r / 3}V${-r}H${r / 3}V${-r / 3}H${r}V${r / 3}H${r / 3}V${r}H${-r / 3}V${r / 3}H${-r}Z`;
  switch (shape) {
    case 0: return `M${r} 0A${r} ${r} 0 1 1 ${-r} 0A${r} ${r} 0 1 1 ${r} 0Z`;
    case 1: return polygon(4, Math.PI / 4, 1.25 * r);
    case 2: return polygon(3, up, 1.4 * r);
    case 3: return polygon(4, 0, 1.4 * r);
    case 4: return polygon(3, -up, 1.4 * r);
    case 5: return bars;
    case 6: return polygon(6, 0, 1.2 * r);
    default: return `M${-r} ${-r / 2.5}H${r}V${r / 2.5}H${-r}Z`;
  }
}

function dot(k, x, y, r, faded = false) {
  const { colour, shape, hollow } = looks[k];
  const kind = `dot ${faded ? "off" : colour}${hollow ? " hollow" : ""}`;
  return draw("path", { class: kind, d: mark(shape, r), transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` });
}

function swatch(k) {
  const { colour, dash } = looks[k];
  const line = draw("path", { class: `line ${colour}`, d: "M1 7H29", "stroke-dasharray": dash });
  return draw("svg", { class: "swatch", viewBox: "0 0 30 14", "aria-hidden": "true" }, line, dot(k, 15, 7, 4));
}
