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
let asOf = new Date(); // when what is shown was last all there is
let problem = ""; // what was wrong with the last answer
let folderLinks = ""; // what was told last
let runsUnderWay = "";

// Something to be told in these words.
class Told extends Error {}

const pulse = make("span", { class: "pulse", "aria-hidden": "true" });
const standing = make("span");
const pause = make("button", { type: "button", "aria-pressed": "false", onclick: () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  tell();
} }, "pause");
const trouble = make("p", { class: "bad", role: "alert" });
const folders = make("p", { class: "quiet" });
const bar = make("div", { class: "live" }, make("p", {}, pulse, " ", standing, " ", pause), trouble, folders);
const underWay = make("section", { id: "under-way", hidden: "" });

function tell() {
  const held = waiting && busy();
  const state = problem ? `${problem}, asking again` : paused && waiting ? "paused, there is news" : paused ? "paused"
    : held ? "held while text is selected, a button is down or a list is open, there is news" : "live";
  standing.textContent = `${state} · ${news.folder} · as of ${asOf.toLocaleTimeString()}`;
  pulse.classList.toggle("still", paused || held || problem !== "");
  // To set it is to have it read out, even if it says the same.
  if (trouble.textContent !== (news.error ?? "")) trouble.textContent = news.error ?? "";
}

// Built anew, links and tables lose the focus and whatever is pressed there: that happens only where they change.
function tellFolders() {
  const told = JSON.stringify(news.folders);
  if (told === folderLinks || touched) return;
  folderLinks = told;
  const links = [...(where === null ? [] : [["← the whole folder", null]]), ...news.folders.map((name) => [name, where === null ? name : `${where}/${name}`])];
  folders.replaceChildren(...(links.length === 0 ? [] : ["further runs: ", ...links.flatMap(([text, to]) =>
    [make("a", { href: to === null ? "./" : `./?in=${encodeURIComponent(to)}` }, text), " "])]));
}

function tellRuns() {
  const told = JSON.stringify(news.under_way);
  if (told === runsUnderWay || touched) return undefined;
  runsUnderWay = told;
  const { rows } = news.under_way;
  underWay.toggleAttribute("hidden", rows.length === 0);
  if (rows.length === 0) return underWay.replaceChildren();
  const { scrollTop = 0, scrollLeft = 0 } = underWay.querySelector(".scroll") ?? {};
  const focus = [...underWay.querySelectorAll("button")].indexOf(document.activeElement);
  underWay.replaceChildren(make("h2", {}, `Under way: ${rows.length} run${rows.length === 1 ? "" : "s"}`), table(news.under_way, "under way"));
  Object.assign(underWay.querySelector(".scroll"), { scrollTop, scrollLeft });
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
  const held = heldBrushes();
  take(next);
  build();
  regainBrushes(held);
  if (byBrush) brushed();
  else if (held.length > 0) repaint();
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

async function answered(name) {
  const response = await fetch(asked(name), { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  return response.ok ? { answer: await response.json() } : { refusal: (await response.text()).trim() || `the server says ${response.status}` };
}

async function get(name) {
  const { answer, refusal } = await answered(name).catch(() => ({ refusal: "no answer from the server" }));
  if (refusal) throw new Told(refusal);
  return answer;
}

async function follow() {
  news = await get("live.json");
  waiting = news.version !== data.live.version;
  if (waiting && !paused && !busy()) {
    const next = await get("data.json");
    // Somebody may have taken hold of the page meanwhile.
    if (paused || busy()) return;
    renew(next);
    waiting = false;
  }
  if (!waiting) asOf = new Date();
  tellRuns();
  tellFolders();
}

async function ask() {
  try {
    await follow();
    problem = "";
  } catch (error) {
    problem = error instanceof Told ? error.message : "the page could not be built anew, its console says why";
    if (!(error instanceof Told)) {
      // What is there may be half of it.
      data.live.version = "";
      console.error(error);
    }
  }
  tell();
  setTimeout(ask, EVERY);
}

window.addEventListener("pointerdown", () => { touched = true; });
for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, () => { touched = false; });
for (const kind of ["pointerdown", "pointermove"]) {
  window.addEventListener(kind, (event) => {
    if (event.isTrusted) pointer = event.target.closest?.("svg.chart") ? { x: event.clientX, y: event.clientY } : null;
  });
}
window.addEventListener("focusin", (event) => { if (event.target.id === "against") choosing = Date.now(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) tell(); });

parts.splice(1, 0, nothing, (host) => host.append(underWay));
document.body.prepend(bar);
build();
tellRuns();
tellFolders();
tell();
setTimeout(ask, EVERY);
