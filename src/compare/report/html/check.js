// What a test does to the page in a browser: points, clicks, drags, types; and writes down what it saw.
const seen = {};
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);
const pause = () => new Promise((done) => setTimeout(done, 30));
const key = (target, name, more = {}) => target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
const pointer = (target, kind, x, y, more = {}) => target.dispatchEvent(new PointerEvent(kind, { clientX: x, clientY: y, bubbles: true, cancelable: true, ...more }));
const words = (element) => element.textContent.replace(/\s+/g, " ").trim();
const tableOf = (root) => all("tbody tr", root).map((row) => all("td", row).map((cell) => cell.textContent.trim()));
const pressed = () => all(".chips button").filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => words(chip.querySelector("b")));
const tip = (figure) => (one(".tip", figure).hidden ? "" : words(one(".tip", figure)));
const linesIn = (figure) => all("path.line", one("svg.chart", figure)).length;

async function check() {
  const figures = all("figure");
  seen.charts = figures.map((figure) => [words(one("figcaption", figure) ?? figure), linesIn(figure), all(".band", figure).length]);
  seen.wider = document.documentElement.scrollWidth - window.innerWidth;
  seen.title = words(one("h1"));
  seen.results = tableOf(one("#results"));
  seen.contrasts = one("#contrasts") ? tableOf(one("#contrasts")) : [];
  seen.pressed = pressed();
  seen.hacked = window.hacked === undefined ? "no" : "yes";

  const chart = one("svg.chart");
  const box = chart.getBoundingClientRect();
  pointer(chart, "pointermove", box.left + box.width / 2, box.top + 60);
  seen.pointed = tip(figures[0]);
  pointer(chart, "pointerleave", 0, 0);
  seen.left = tip(figures[0]);
  const finger = { pointerType: "touch" };
  for (const kind of ["pointerdown", "pointerup", "pointerleave"]) pointer(chart, kind, box.left + box.width / 2, box.top + 60, finger);
  seen.touched = tip(figures[0]);
  pointer(document.body, "pointerdown", 0, 0, finger);
  seen.let_go = tip(figures[0]);
  for (let i = 0; i < 50; i += 1) key(chart, "ArrowRight");
  seen.walked = tip(figures[0]);
  key(chart, "Escape");

  const chips = all(".chips button");
  if (chips.length > 1) {
    chips[0].click();
    seen.without = [pressed(), linesIn(figures[0]), all("#results tr.off").length];
    chips[0].click();
    chips[0].focus();
    key(chips[0], "ArrowRight");
    seen.focused = words(document.activeElement.querySelector("b") ?? document.activeElement);
    all(".tools button").find((button) => words(button) === "none").click();
    seen.none = [pressed().length, linesIn(figures[0])];
    all(".tools button").find((button) => words(button) === "all").click();
    seen.all = pressed().length;
  }

  const grips = () => all(".grip");
  if (grips().length > 0) {
    const axis = grips()[grips().length - 1].getBoundingClientRect();
    const x = axis.left + axis.width / 2;
    pointer(grips()[grips().length - 1], "pointerdown", x, axis.top + 2);
    pointer(window, "pointermove", x, axis.top + axis.height * 0.3);
    pointer(window, "pointerup", x, axis.top + axis.height * 0.3);
    seen.brushed = [pressed(), all(".brush").length];
    key(grips()[grips().length - 1], "Escape");
    seen.released = [pressed().length, all(".brush").length];
    key(grips()[0], "ArrowUp");
    seen.lowest = pressed();
    key(grips()[0], "ArrowUp", { shiftKey: true });
    seen.grown = pressed().length;
    key(grips()[0], "Escape");
    const scatter = all(".small figure")[0];
    key(one("svg.chart", scatter), "ArrowRight");
    seen.scatter = tip(scatter);
  }

  one("#results th button").click();
  seen.sorted = tableOf(one("#results")).map((row) => row[0]);
  const details = all("details");
  details.forEach((part) => { part.open = true; });
  await pause();
  seen.runs = details.map((part) => words(part));
  const against = one("#against");
  if (against && against.options.length > 1) {
    against.value = against.value === "0" ? "1" : "0";
    against.dispatchEvent(new Event("change"));
    seen.against = details.map((part) => words(part.lastElementChild.lastElementChild));
  }
  const logs = all("figcaption button")[0];
  if (logs) {
    const before = one("svg.chart", logs.closest("figure")).textContent;
    logs.click();
    seen.log = before !== one("svg.chart", logs.closest("figure")).textContent;
  }
}

const out = document.createElement("pre");
out.id = "checked";
check().catch((error) => { seen.error = `${error}\n${error.stack}`; }).finally(() => {
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
});
