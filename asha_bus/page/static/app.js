// @ts-check
// Connects the parts: what has changed is drawn in the next frame, if it is visible.

let run = null;
let isLive = false;

const detail = new DetailView(choose);
const table = new TableView(choose);
/** @type {Map<string, any>} */
const views = new Map([
  ["rungs", new RungsView()],
  ["curves", new CurvesView(choose)],
  ["history", new HistoryView(choose)],
  ["timeline", new TimelineView(choose)],
  ["parallel", new ParallelView()],
  ["trials", table],
  ["importance", new ImportanceView()],
  ["bus", new BusView()],
  ["configuration", new ConfigurationView()],
]);
const inSight = new Set();
const drawn = new Map(); // by view: the version that it shows
let isAwaited = false;

function choose(trial) {
  detail.show(run, trial);
  table.mark(trial);
  if (trial !== null && detail.holder.getBoundingClientRect().top > window.innerHeight - 60) {
    detail.holder.scrollIntoView({ block: "nearest" });
  }
}

// Events that a server sends together are drawn together.
const TOGETHER_MS = 50;

function changed() {
  if (isAwaited || run === null) return;
  isAwaited = true;
  setTimeout(() => requestAnimationFrame(draw), isLive ? TOGETHER_MS : 0);
}

function draw() {
  isAwaited = false;
  performance.mark("draw-begin");
  drawHead(run, isLive, choose);
  detail.refresh(run);
  for (const [name, view] of views) {
    if (!inSight.has(name) || drawn.get(name) === run.version) continue;
    drawn.set(name, run.version);
    view.draw(run);
  }
  performance.measure("draw", "draw-begin");
}

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) inSight.add(entry.target.id);
    else inSight.delete(entry.target.id);
  }
  changed();
}, { rootMargin: "80px" });
for (const name of views.keys()) sight.observe(byId(name));

function redraw() {
  colours.known.clear();
  drawn.clear();
  for (const name of ["curves", "history", "timeline"]) views.get(name).chart.redraw();
  changed();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

function say(text) {
  byId("banner").hidden = text === null;
  retell(byId("banner"), text === null ? "" : text);
}

openSource({
  run(document_) {
    const chosen = detail.trial;
    run = new Run(document_);
    const hasImportance = "importance" in document_; // a report has it
    byId("importance").hidden = !hasImportance;
    byId("configuration").classList.toggle("wide", hasImportance);
    drawn.clear();
    document.title = `${run.document.name} · asha-bus`;
    say(null);
    const again = chosen === null ? null : run.byId.get(chosen.id) || null;
    if (chosen !== null) choose(again);
    changed();
  },
  trials(rows) {
    run.put(rows);
    changed();
  },
  summary(summary) {
    isLive = true;
    run.summarize(summary);
    changed();
  },
  end(summary) {
    isLive = false;
    run.summarize(summary);
    say(null);
    changed();
  },
  found() {
    isLive = true;
    say(null);
  },
  lost() {
    say("The connection to the run is lost, so this page may be out of date; reconnecting …");
  },
});
