// Follows runs that are still written: asks the server for news every second, and builds the page anew where there are any. What a
// person did to it (groups chosen, brushes, order of tables, what is open, scrolled, focused or pointed at) outlasts that.

const EVERY = 1000; // milliseconds from one answer to the next question
const PATIENCE = 10000; // for an answer
const where = new URLSearchParams(location.search).get("in");
const asked = (name) => (where === null ? name : `${name}?in=${encodeURIComponent(where)}`);

let paused = false;
let waiting = false; // whether there is news that is not shown
let touched = false; // whether a button of the mouse or a finger is down
let choosing = 0; // when the list of groups was entered, which may be open
let pointer = null;
let news = data.live;

const pulse = make("span", { class: "pulse", "aria-hidden": "true" });
const standing = make("span");
const pause = make("button", { type: "button", "aria-pressed": "false", onclick: () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  tell(true);
} }, "pause");
const trouble = make("p", { class: "bad", role: "alert" });
const folders = make("p", { class: "quiet" });
const bar = make("div", { class: "live" }, make("p", {}, pulse, " ", standing, " ", pause), trouble, folders);
const underWay = make("section", { id: "under-way", hidden: "" });

function tell(reached) {
  const time = new Date().toLocaleTimeString();
  const state = !reached ? "no answer from the server, asking again" : paused && waiting ? "paused, there is news" : paused ? "paused" : "live";
  standing.textContent = reached ? `${state} · ${news.folder} · as of ${time}` : state;
  pulse.classList.toggle("still", paused || !reached);
  trouble.textContent = news.error ?? "";
}

function tellFolders() {
  const links = [...(where === null ? [] : [["← the whole folder", null]]), ...news.folders.map((name) => [name, where === null ? name : `${where}/${name}`])];
  folders.replaceChildren(...(links.length === 0 ? [] : ["further runs: ", ...links.flatMap(([text, to]) =>
    [make("a", { href: to === null ? "./" : `./?in=${encodeURIComponent(to)}` }, text), " "])]));
}

function tellRuns() {
  const { rows } = news.under_way;
  underWay.toggleAttribute("hidden", rows.length === 0);
  if (rows.length === 0) return underWay.replaceChildren();
  const kept = underWay.querySelector(".scroll")?.scrollTop ?? 0;
  const focus = [...underWay.querySelectorAll("button")].indexOf(document.activeElement);
  underWay.replaceChildren(make("h2", {}, `Under way: ${rows.length} run${rows.length === 1 ? "" : "s"}`), table(news.under_way, "under way"));
  underWay.querySelector(".scroll").scrollTop = kept;
  if (focus >= 0) underWay.querySelectorAll("button")[focus]?.focus();
  return undefined;
}

function nothing(host) {
  if (groups.length === 0) host.append(make("p", {}, "No run has an evaluation or a record here yet. This page shows runs as soon as there are some."));
}

// Where an element is: by its group, whose place may change, and its place in there or in the page.
function placeOf(element) {
  const group = element.closest("[data-key]");
  const root = group ?? main;
  const steps = [];
  for (let at = element; at !== root; at = at.parentElement) steps.unshift([...at.parentElement.children].indexOf(at));
  return { tag: group?.tagName, key: group?.dataset.key, steps };
}
function elementAt({ tag, key, steps }) {
  const root = tag ? [...main.querySelectorAll("[data-key]")].find((one) => one.tagName === tag && one.dataset.key === key) : main;
  return steps.reduce((at, i) => at?.children[i], root);
}

function renew(next) {
  const focused = main.contains(document.activeElement) ? placeOf(document.activeElement) : null;
  const scrolled = [...main.querySelectorAll(".scroll, .chips")].filter((part) => part.scrollTop > 0 || part.scrollLeft > 0)
    .map((part) => ({ place: placeOf(part), top: part.scrollTop, left: part.scrollLeft }));
  const telling = document.activeElement?.closest?.("figure")?.querySelector(".tip:not([hidden])");
  const { scrollX, scrollY } = window;
  main.style.minHeight = `${main.offsetHeight}px`;
  take(next);
  build();
  for (const name of brushes.keys()) if (!parallelAxes.some((axis) => axis.name === name)) brushes.delete(name);
  if (brushes.size > 0) brushed();
  document.title = next.title;
  for (const { place, top, left } of scrolled) {
    const part = elementAt(place);
    if (part) [part.scrollTop, part.scrollLeft] = [top, left];
  }
  const again = focused && elementAt(focused);
  again?.focus({ preventScroll: true });
  main.style.minHeight = "";
  window.scrollTo(scrollX, scrollY);
  if (telling) again?.dispatchEvent(new Event("retell"));
  const under = pointer && document.elementFromPoint(pointer.x, pointer.y)?.closest("svg.chart");
  under?.dispatchEvent(new PointerEvent("pointermove", { clientX: pointer.x, clientY: pointer.y, bubbles: true }));
}

// To build the page anew would take away what a person is at.
function busy() {
  return touched || String(getSelection()) !== "" || (document.activeElement?.id === "against" && Date.now() - choosing < 15000);
}

const get = async (name) => {
  const response = await fetch(asked(name), { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
};

async function ask() {
  let reached = true;
  try {
    news = await get("live.json");
    waiting = news.version !== data.live.version;
    if (waiting && !paused && !busy()) {
      renew(await get("data.json"));
      waiting = false;
    }
    tellRuns();
    tellFolders();
  } catch {
    reached = false;
  }
  tell(reached);
  setTimeout(ask, EVERY);
}

window.addEventListener("pointerdown", () => { touched = true; });
for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, () => { touched = false; });
window.addEventListener("pointermove", (event) => {
  if (event.isTrusted) pointer = event.target.closest?.("svg.chart") ? { x: event.clientX, y: event.clientY } : null;
});
window.addEventListener("focusin", (event) => { if (event.target.id === "against") choosing = Date.now(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) tell(true); });

parts.splice(1, 0, nothing, (host) => host.append(underWay));
document.body.prepend(bar);
build();
tellRuns();
tellFolders();
tell(true);
setTimeout(ask, EVERY);
