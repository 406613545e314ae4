// @ts-check
// Text and figures: the head, the chosen trial, importance, bus, configuration.

const REASONS = {
  unfinished: "unfinished", stopped: "stopped", failed: "failed",
  exhausted: "ended: every point of the space was run",
  max_total_resource: "ended: all of max_total_resource was used",
  stop_run: "ended by stop_run",
};

function drawHead(run, isLive, choose) {
  const { summary, document: held } = run;
  byId("name").textContent = held.name;
  const message = summary.message.trim().split("\n")[0].replace(/:$/, "");
  const isByUser = summary.reason === "stopped" && message === ""; // a message says who else
  const ended = (isByUser ? "stopped by the user" : REASONS[summary.reason]) || `ended by ${summary.reason}`;
  retell(byId("status"), isLive ? "running" : ended + (message ? ` (${message})` : ""));
  byId("states").replaceChildren(...STATES.filter((state) => summary.states[state]).map((state) =>
    el("li", {}, dot(state), `${state} ${showCount(summary.states[state])}`)));
  const best = run.best;
  const figures = [];
  if (best) {
    const link = el("button", { type: "button", title: summary.best_reason }, `trial ${best.id}`);
    link.addEventListener("click", () => choose(best));
    figures.push(["best metric", show(best.metric)], ["best trial", link], ["at resource", show(best.resource)]);
  } else figures.push(["best", summary.best_reason]);
  const bad = summary.first_error;
  if (bad) {
    const link = el("button", { type: "button", title: "The whole traceback is in the trial's details" },
      `trial ${bad.trial}`);
    link.addEventListener("click", () => choose(run.byId.get(bad.trial) || null));
    figures.push(["failed or lost", showCount(bad.count)],
      ["first error", el("span", {}, link, ` ${bad.error}`)]);
  }
  for (const text of summary.warnings) {
    if (best || text !== summary.best_reason) figures.push(["warning", text]);
  }
  const most = held.configuration.max_trials;
  figures.push(
    isNumber(most) ? ["trials", `${showCount(doneOf(summary))} of ${showCount(most)}`] : ["trials", showCount(summary.trials)],
    ["elapsed", showSeconds(toNumber(summary.elapsed_s))]);
  const left = isLive ? secondsLeft(run) : null;
  if (left !== null) {
    const title = "By the trials done so far, and by max_time";
    figures.push(["time left, about", el("span", { title }, showSeconds(left))]);
  }
  figures.push(
    ["workers", showCount(summary.workers)], ["decisions", showCount(summary.bus.decisions)]);
  refill(byId("figures"), ...figures.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** How many trials are done: in a final state, and not cancelled. */
function doneOf(summary) {
  return ["COMPLETED", "STOPPED", "FAILED", "LOST"].reduce((sum, state) => sum + (summary.states[state] || 0), 0);
}

/** The seconds that a live run will still take at its pace, or has left; null: nobody knows. */
function secondsLeft(run) {
  const { max_trials: most, max_time_s: limit } = run.document.configuration;
  const elapsed = toNumber(run.summary.elapsed_s);
  // a paused trial has trained what it may, and many end together at the end of the run
  const done = doneOf(run.summary) + (run.summary.states.PAUSED || 0);
  const found = [];
  if (isNumber(most) && done > 0) found.push((elapsed / done) * Math.max(most - done, 0));
  if (isNumber(limit)) found.push(Math.max(limit - elapsed, 0));
  return found.length ? Math.min(...found) : null;
}

class DetailView {
  constructor(choose) {
    this.choose = choose;
    this.holder = byId("detail");
    this.trial = null;
    this.asked = 0;
  }

  show(run, trial) {
    this.trial = trial;
    byId("trials").querySelector(".split").classList.toggle("open", trial !== null);
    if (trial === null) {
      this.holder.replaceChildren();
      return;
    }
    const close = el("button", { type: "button" }, "Close");
    close.addEventListener("click", () => this.choose(null));
    this.explained = el("ol", { className: "explain", "aria-live": "polite" });
    this.rest = el("div");
    this.holder.replaceChildren(
      el("div", { className: "top" }, el("h3", {}, `Trial ${trial.id}`), close), this.explained, this.rest);
    this.tell(run, trial);
  }

  /** Redraw the chosen trial if it has changed. */
  refresh(run) {
    if (this.trial === null || this.mark(this.trial) === this.known) return;
    this.explained.setAttribute("aria-live", "off"); // not read out each second
    this.tell(run, this.trial);
  }

  mark(trial) {
    return `${trial.state} ${trial.attempts} ${trial.rungs.length} ${trial.resource}`;
  }

  tell(run, trial) {
    this.known = this.mark(trial);
    const parts = [
      el("h3", {}, "Parameters"), pairs([...parametersOf(run, trial), ...Object.entries(run.document.constants)
        .map(([name, value]) => [name, showValue(value)])]),
    ];
    if (Object.keys(trial.extras).length) {
      parts.push(el("h3", {}, "Last extras"), pairs(Object.entries(trial.extras)
        .map(([name, value]) => [name, showValue(value)])));
    }
    if (trial.error !== null) parts.push(el("h3", {}, "Error"), el("pre", { tabIndex: 0 }, trial.error));
    parts.push(el("h3", {}, "Run"), pairs([
      ["state", trial.state], ["metric, last", show(trial.metric)], ["metric, best", bestOf(trial)],
      ["resource", show(trial.resource)], ["bracket", String(trial.bracket)],
      ["attempts", String(trial.attempts)], ["worker", trial.worker || "-"],
      ["began after", showSeconds(run.since(trial.start))],
      ["took", showSeconds(seconds(run, trial))],
    ]));
    this.rest.replaceChildren(...parts);
    this.explain(run, trial);
  }

  /** The explained decisions: a report has them, those of a live run are fetched. */
  async explain(run, trial) {
    const asked = ++this.asked;
    let text;
    if (run.document.explain) text = run.document.explain[trial.id];
    else {
      try {
        const answer = await fetch(`explain/${trial.id}`);
        text = answer.ok ? await answer.text() : `unknown: the server answered ${answer.status}`;
      } catch {
        text = "unknown: the process that served this page is gone";
      }
      if (asked !== this.asked) return; // another trial was chosen, or this one was redrawn
    }
    this.explained.replaceChildren(...text.split("\n").map((line) => el("li", {}, line)));
  }
}

function bestOf(trial) {
  const at = trial.best_resource === null ? "" : ` at resource ${show(trial.best_resource)}`;
  return `${show(trial.best_metric)}${at}`;
}

function pairs(rows) {
  return el("dl", { className: "pairs" }, ...pairRows(rows));
}

function pairRows(rows) {
  return rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}

class ImportanceView {
  draw(run) {
    const found = run.document.importance;
    if (!found) return;
    byId("importance-note").textContent = found.note;
    const most = Math.max(...found.rows.map((row) => row[1]), 1e-9);
    byId("importance-rows").replaceChildren(...found.rows.map(([name, mean, deviation]) => {
      const track = el("div", { className: "track" }, el("span"), el("span"));
      track.children[1].style.width = `${Math.max((100 * mean) / most, 0)}%`;
      return el("tr", {}, el("th", { scope: "row" }, name), el("td", { className: "bar" }, track),
        el("td", {}, `${mean.toFixed(3)} ± ${deviation.toFixed(3)}`));
    }));
  }
}

class BusView {
  draw(run) {
    const bus = Object.fromEntries(Object.entries(run.summary.bus).map(([name, value]) => [name, toNumber(value)]));
    const known = (value, text) => (isNumber(value) ? text(value) : "not known");
    const milliseconds = (value) => known(value, (found) => `${(found * 1000).toFixed(2)} ms`);
    const cpu = (value) => known(value, (found) => `${found.toFixed(2)} s`);
    byId("bus-rows").replaceChildren(...pairRows([
      ["a decision's round trip, p50", milliseconds(bus.latency_p50_s)],
      ["a decision's round trip, p99", milliseconds(bus.latency_p99_s)],
      ["reports", showCount(bus.reports)],
      ["rung decisions among them", showCount(bus.decisions)],
      ["workers' idle time", known(bus.idle_seconds, showSeconds)],
      ...(run.summary.rungs.some((rung) => rung.length > 5) ? [
        ["resource trained again", show(bus.retrained_resource)],
        ["wait of promotions, p50", known(bus.promotion_wait_p50_s, showSeconds)],
        ["wait of promotions, longest", known(bus.promotion_wait_max_s, showSeconds)],
        ["most paused trials in one worker", showCount(bus.most_residents)],
        ["paused trials dropped", showCount(bus.dropped_residents)],
      ] : []),
      ["workers' time in the objective", known(bus.busy_share, (share) => `${(100 * share).toFixed(1)} %`)],
      ["processor time of the router", cpu(bus.router_cpu_s)],
      ["processor time of the bus process", cpu(bus.process_cpu_s)],
      ["workers that ever joined", showCount(bus.workers)],
      ["trials restarted", showCount(bus.requeued)],
      ["late reports rejected", showCount(bus.fenced)],
      ["repeated requests", showCount(bus.retried)],
      ["messages rejected", showCount(bus.rejected)],
      ["peers without the run's key", showCount(bus.unauthenticated)],
      ["answers not sent", showCount(bus.unsent)],
    ]));
  }
}

class ConfigurationView {
  draw(run) {
    const { configuration, parameters, constants, versions } = run.document;
    byId("configuration-rows").replaceChildren(...pairRows([
      ...Object.entries(configuration).map(([name, value]) => [name, showValue(value)]),
      ...parameters.map(({ name, kind, options, range }) =>
        [`parameter ${name}`, `${kind}(${(options || range).map(showValue).join(", ")})`]),
      ...Object.entries(constants).map(([name, value]) => [`constant ${name}`, showValue(value)]),
      ...Object.entries(versions).map(([name, value]) => [`version of ${name}`, value]),
    ]));
  }
}
