// From values to places and back, and where the ticks stand.

// Seconds between ticks as people count them, beyond a few.
const TIMES = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

function ticks(low, high, most, time = false) {
  const raw = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const steps = time && raw > 2 && raw <= 86400 ? TIMES : [1, 2, 5, 10].map((m) => m * power);
  const step = steps.find((s) => s >= raw * 0.999);
  const found = [];
  // Of a range that is narrow and far from 0, `k` may be too large to grow by 1.
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step && found.length < 100; k += 1) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

function decades(low, high, most) {
  const all = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) {
    for (const m of [1, 2, 5]) all.push(Number((m * 10 ** e).toPrecision(3)));
  }
  const inside = all.filter((x) => x >= low * 0.999 && x <= high * 1.001);
  const tens = inside.filter((x) => Number.isInteger(Math.round(Math.log10(x) * 1e6) / 1e6));
  if (inside.length <= most) return inside;
  return tens.length >= 2 ? tens.filter((_, i) => i % Math.ceil(tens.length / most) === 0) : inside.filter((_, i) => i % 2 === 0);
}

// A number line from `low` to `high`, of seconds where it says `time`; `unit` is 0 at its start and 1 at its end.
function scale(low, high, log = false, time = false) {
  // What differs by rounding alone is one value.
  if (!(high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high)))) {
    [low, high] = low === 0 || !Number.isFinite(low) ? [0, 1] : [low - Math.abs(low) * 0.1, low + Math.abs(low) * 0.1];
  }
  const to = log ? Math.log : (x) => x;
  const from = log ? Math.exp : (x) => x;
  const [a, b] = [to(low), to(high)];
  return {
    low, high, log,
    unit: (x) => (to(x) - a) / (b - a),
    back: (t) => from(a + t * (b - a)),
    ticks: (most) => (log ? decades(low, high, most) : ticks(low, high, most, time)),
  };
}

// An axis over what groups have: numbers where all are numbers, on a log scale where they span a decade, else words in order.
function axisOf(values) {
  const numbers = values.map((text) => (String(text).trim() === "" ? NaN : Number(text)));
  const distinct = [...new Set(numbers)].sort((a, b) => a - b);
  if (distinct.length > 1 && numbers.every(Number.isFinite)) {
    const [low, high] = [distinct[0], distinct[distinct.length - 1]];
    const line = scale(low, high, low > 0 && high / low >= 10);
    const at = distinct.length <= 6 ? distinct : line.ticks(5);
    return { unit: (k) => line.unit(numbers[k]), at: line.unit, back: line.back, ticks: at.map((x) => ({ unit: line.unit(x), text: short(x) })), stops: distinct.map(line.unit) };
  }
  const words = [...new Set(values.map(String))];
  const unit = (word) => (words.length > 1 ? words.indexOf(word) / (words.length - 1) : 0.5);
  return { unit: (k) => unit(String(values[k])), at: unit, words, ticks: words.map((text) => ({ unit: unit(text), text })), stops: words.map(unit) };
}

// The objective as an axis that holds the groups' means, and `more`; better values higher.
function objectiveAxis(more = []) {
  const numbers = groups.map((_, k) => objective(k));
  const known = [...numbers, ...more].filter(Number.isFinite);
  const line = scale(Math.min(...known), Math.max(...known), false, data.by === "time");
  const [turned, marks] = [data.lower, line.ticks(5)];
  const unit = (x) => (turned ? 1 - line.unit(x) : line.unit(x));
  return {
    unit: (k) => (Number.isFinite(numbers[k]) ? unit(numbers[k]) : NaN),
    at: unit,
    back: (t) => line.back(turned ? 1 - t : t),
    ticks: marks.map((x) => ({ unit: unit(x), text: data.by === "time" ? spanTick(x) : axisValue(x) })),
    stops: known.map(unit).sort((a, b) => a - b),
  };
}

const axisValue = (x) => (data.scale === "percent" ? `${Number((100 * x).toPrecision(4))} %` : short(x));

// What stands for a run, and for a group in the mean over the runs that count.
const objectiveOf = (run) => (data.by === "time" ? (run.reached ? run.reached.seconds : NaN) : run[data.by] ?? NaN);
const counted = (k) => report.groups[k].runs.filter((run) => run.counted);
function objective(k) {
  if (data.by !== "time") return summary(k)?.mean ?? NaN;
  const values = counted(k).map(objectiveOf);
  return values.length > 0 ? values.reduce((sum, x) => sum + x, 0) / values.length : NaN;
}
const summary = (k) => (data.by === "time" ? null : report.groups[k][data.by]);
const objectiveText = (x) => (data.by === "time" ? span(x) : value(x));
