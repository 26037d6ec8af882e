// The page from top to bottom.

function heading(host) {
  const runs = groups.reduce((sum, group) => sum + group.runs.rows.length, 0);
  const plural = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const banded = groups.some((group) => group.curve.deviation.some((d) => d !== null));
  const parts = [plural(groups.length, "group"), plural(runs, "run"), banded ? "lines: mean over seeds, bands: one standard deviation to either side" : null];
  host.append(make("h1", {}, data.title), make("p", { class: "quiet" }, parts.filter(Boolean).join(" · ")));
}

function legend(host) {
  if (groups.length < 2) return;
  const chips = data.ranking.map((k) => make("button", { type: "button", title: groups[k].name, "data-group": k, "data-key": groups[k].key,
    onclick: (event) => (event.shiftKey ? show(() => [k]) : toggle(k)), onkeydown: (event) => walk(event) },
  swatch(k), make("b", {}, `#${k + 1}`), make("span", {}, label(k))));
  const walk = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) chips[(chips.indexOf(event.currentTarget) + by + chips.length) % chips.length].focus();
  };
  const tool = (text, only) => make("button", { type: "button", onclick: () => show(only) }, text);
  const told = make("span", { class: "quiet", role: "status" });
  const most = Math.min(COLOURS, groups.length);
  const tools = make("div", { class: "tools" }, told, groups.length > most ? tool(`the best ${most}`, foremost) : null, tool("all", () => data.ranking),
    tool("none", () => []), make("span", { class: "quiet" }, "best first · Shift and click: this one alone"));
  host.append(make("div", { class: "legend" }, make("div", { class: "chips", role: "group", "aria-label": "groups" }, chips), tools));
  painters.push(() => {
    chips.forEach((chip, place) => chip.setAttribute("aria-pressed", String(shown.has(data.ranking[place]))));
    told.textContent = `${shown.size} of ${groups.length} shown`;
  });
}

const sorted = new Map(); // table → the head it was sorted by, and whether downwards

// A table of the report; heads sort, which is remembered by `name`. `byGroup`: the first cells are the groups' numbers, and rows look
// like their groups.
function table({ heads, rows, numbers }, name, byGroup = false, sorts = true) {
  const grouped = (row) => (byGroup && groups.length > 1 ? Number.parseInt(row[0].slice(1), 10) - 1 : null);
  const cell = (text, i) => make("td", { class: i >= numbers.start && i < numbers.end ? "number" : i === 0 ? "id" : text.length > 40 ? "wide" : null }, text);
  const lines = rows.map((row) => {
    const k = grouped(row);
    const line = make("tr", { "data-group": k }, row.map(cell));
    if (k !== null) {
      line.firstChild.prepend(swatch(k), " ");
      painters.push(() => line.classList.toggle("off", !shown.has(k)));
    }
    return { row, line };
  });
  const body = make("tbody", {}, lines.map(({ line }) => line));
  const key = (text) => {
    const number = Number.parseFloat(text.replace(/^[#<]/, "").replace(/(\d),(?=\d{3})/g, "$1"));
    const unit = { min: 60, h: 3600, k: 1e3, M: 1e6 }[/^[-+\d.]+ (min|h|k|M)\b/.exec(text)?.[1]] ?? 1;
    return Number.isNaN(number) ? null : number * unit;
  };
  const sort = (column, head, down) => {
    sorted.set(name, { head: heads[column], down });
    heading.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = (a, b) => {
      const [x, y] = [key(a.row[column]), key(b.row[column])];
      if (x === null || y === null) return x === y ? a.row[column].localeCompare(b.row[column]) : x === null ? 1 : -1;
      return down ? y - x : x - y;
    };
    body.append(...[...lines].sort(order).map(({ line }) => line));
  };
  const heading = heads.map((text, i) => {
    const head = make("th", { scope: "col", class: i >= numbers.start && i < numbers.end ? "number" : null });
    head.append(sorts ? make("button", { onclick: () => sort(i, head, head.getAttribute("aria-sort") === "ascending") }, text) : text);
    return head;
  });
  const before = sorted.get(name);
  const column = heads.indexOf(before?.head);
  if (column >= 0) sort(column, heading[column], before.down);
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, heading)), body));
}

// The results with a column for each setting that differs, in place of the names that are made of them.
function results() {
  const { heads, rows, numbers } = data.results;
  if (data.axes.length === 0 || data.axes_left_out > 0) return data.results;
  const widen = (row, extra, first) => [first, ...extra, ...row.slice(2)];
  const more = data.axes.length - 1;
  return {
    heads: widen(heads, data.axes.map((axis) => axis.name), heads[0]),
    rows: rows.map((row) => {
      const k = Number.parseInt(row[0].slice(1), 10) - 1;
      return widen(row, data.axes.map((axis) => axis.values[k]), k === report.baseline ? `${row[0]} (baseline)` : row[0]);
    }),
    numbers: { start: numbers.start + more, end: numbers.end + more },
  };
}

function tables(host) {
  host.append(make("h2", {}, "Results"), fill(table(results(), "results", true), { id: "results" }, []));
  if (data.contrasts.rows.length > 0) {
    host.append(make("h2", {}, data.contrasts_title), fill(table(data.contrasts, "contrasts", true), { id: "contrasts" }, []));
  }
  if (data.effects) {
    host.append(make("h2", {}, data.effects.title), fill(table(data.effects.sheet, "effects", false, false), { id: "effects" }, []));
  }
  host.append(...data.claims.map((claim) => make("p", { class: claim.holds ? "good" : "bad" }, claim.text)));
  const notes = data.planned ? [...report.notes, data.planned] : report.notes;
  if (notes.length > 0) host.append(make("ul", { class: "notes" }, notes.map((note) => make("li", {}, note))));
}

const opened = new Set(); // the groups whose runs are shown
let opponent = null; // the group that settings are held against, where a person chose it

// Each group's runs, and the settings in which it differs from another.
function runs(host) {
  if (groups.length === 0) return;
  const against = make("select", { id: "against" }, groups.map((group, k) => make("option", { value: k }, `#${k + 1} ${cut(group.name, 80)}`)));
  const other = groups.findIndex((group) => group.key === opponent);
  against.value = String(other < 0 ? report.baseline : other);
  against.addEventListener("change", () => { opponent = groups[Number(against.value)].key; });
  host.append(make("h2", {}, "Runs and their settings"));
  if (groups.length > 1) host.append(make("p", {}, make("label", {}, "differences from ", against)));
  for (const k of data.ranking) {
    const { key } = groups[k];
    const body = make("div");
    const difference = make("div");
    const compare = () => difference.replaceChildren(differences(k, Number(against.value)));
    const toggled = () => {
      if (!details.open) return opened.delete(key);
      if (!opened.has(key) || body.childElementCount === 0) body.replaceChildren(table(groups[k].runs, `runs of ${key}`), ...files(k), difference);
      opened.add(key);
      return compare();
    };
    const details = make("details", { "data-group": k, "data-key": key, ontoggle: toggled, open: opened.has(key) ? "" : null },
      make("summary", {}, groups.length > 1 ? [swatch(k), make("b", {}, ` #${k + 1} `)] : null, groups[k].name), body);
    against.addEventListener("change", () => { if (details.open) compare(); });
    host.append(details);
    // The event of a part that is open from the start comes late: what is below would jump.
    if (details.open) toggled();
  }
}

// Links to the files of a group's runs, where the page comes from a server that has them.
function files(k) {
  const kinds = [["log", "log.txt"], ["metrics", "metrics.csv"], ["steps", "trace.csv"], ["experiment", "experiment.toml"], ["schedule", "schedule.svg"], ["curves", "curves.svg"]];
  return (groups[k].files ?? []).map(({ seed, path }) => make("p", { class: "quiet" }, `seed ${seed}: `,
    kinds.map(([text, name]) => [make("a", { href: `files/${[...path.split("/"), name].filter(Boolean).map(encodeURIComponent).join("/")}`, target: "_blank", rel: "noopener" }, text), " "])));
}

function differences(k, other) {
  if (k === other) return make("p", { class: "quiet" }, groups.length > 1 ? `#${k + 1} itself: its runs differ in the seed alone.` : "The runs differ in the seed alone.");
  const rows = Object.entries(data.settings).filter(([, values]) => values[k] !== values[other]).map(([path, values]) => [path, values[k], values[other]]);
  if (rows.length === 0) return make("p", { class: "quiet" }, "No setting on record differs.");
  return table({ heads: ["setting", `#${k + 1}`, `#${other + 1}`], rows, numbers: { start: 0, end: 0 } }, "differences");
}

const main = make("main");
const parts = [heading, legend, allCurves, tables, allAxes, runs];

function build() {
  painters.length = 0;
  main.replaceChildren();
  for (const part of parts) part(main);
  repaint();
}

take(JSON.parse(document.getElementById("data").textContent));
document.body.append(main);
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth !== width) repaint();
  width = window.innerWidth;
});
