// @ts-check
// The charts: rungs, learning curves, metric over time, workers over time.

// In the order in which they are drawn, the most important last.
const DRAWN = ["PENDING", "STOPPED", "CANCELLED", "LOST", "FAILED", "PAUSED", "RUNNING", "COMPLETED"];
const MOST_ROWS = 400; // workers of the timeline
const COLLATOR = new Intl.Collator("en", { numeric: true });

function metricLabel(run, what = "metric") {
  return `${what} (${run.document.mode === "min" ? "lower" : "higher"} is better)`;
}

function stateKeys(run, trials) {
  const counts = new Map();
  for (const trial of trials) counts.set(trial.state, (counts.get(trial.state) || 0) + 1);
  return STATES.filter((state) => counts.has(state))
    .map((state) => [state, `${state} ${showCount(counts.get(state))}`]);
}

class RungsView {
  draw(run) {
    const rungs = run.summary.rungs;
    const pauses = rungs.some((rung) => rung.length > 5);
    byId("rungs-table").className = pauses ? "funnel" : "funnel plain";
    legend(byId("rungs-note"),
      [["bar", "entered"], ["bar-in", "went on"], ...(pauses ? [["PAUSED", "paused"]] : [])],
      rungs.length ? "The cutoff is the worst metric that would continue now." : "No trial has entered a rung.");
    const most = Math.max(...rungs.map((rung) => Math.max(rung[2], rung[6] || 0)), 1);
    byId("rungs-rows").replaceChildren(...rungs.map((rung) => {
      const [number, resource, entered, went, cutoffs, paused = 0, expected = null, plan = null, isLast = false] = rung;
      const track = el("div", { className: "track" }, el("span"), el("span"),
        el("span", { className: "paused" }), el("span", { className: "expected" }));
      [entered, went, paused, expected || 0].forEach((count, i) => {
        track.children[i].style.width = `${(100 * count) / most}%`;
        track.children[i].hidden = i > 1 && !count;
      });
      track.children[2].style.left = `${(100 * went) / most}%`;
      const words = cutoffs.map(([bracket, cutoff], i) => el("span", { className: "cutoff" },
        show(toNumber(cutoff)), ...(cutoffs.length > 1 // a phone shows the brackets' numbers alone
          ? [" (", el("span", { className: "share" }, "bracket "), `${bracket})`] : []),
        el("span", { className: "share" }, i + 1 < cutoffs.length ? ", " : "")));
      return el("tr", {},
        el("th", { scope: "row" }, plan === null ? String(number) : `plan ${plan}, ${number}`),
        el("td", {}, show(resource)),
        el("td", { className: "bar" }, track),
        el("td", {}, showCount(entered), expected === null ? "" : ` of ${showCount(expected)}`),
        el("td", {}, showCount(went), isLast ? " kept" : "",
          el("span", { className: "share" }, entered ? ` (${Math.round((100 * went) / entered)} %)` : "")),
        el("td", { className: "pauses" }, showCount(paused)),
        el("td", {}, ...words));
    }));
  }
}

class CurvesView {
  constructor(choose) {
    this.chart = new Chart(byId("curves-chart"), {
      label: "Learning curves: metric of each trial by resource; the table of trials has the numbers",
      paint: (context, chart) => this.paint(context, chart),
      pick: (x, y, chart) => this.at(x, y, chart),
      choose,
    });
  }

  draw(run) {
    this.run = run;
    const [xs, ys] = extents(run.trials);
    const rungs = [...new Set(run.summary.rungs.map((rung) => rung[1]))].sort((a, b) => a - b);
    const best = run.best;
    legend(byId("curves-note"), stateKeys(run, run.trials),
      ...(best ? [el("span", { className: "key" }, dot("best"), `best: trial ${best.id}`)] : []));
    const logX = xs !== null && needsLog(xs, 10);
    const splits = logX && rungs.length
      ? [...rungs, ...(xs[1] > rungs[rungs.length - 1] ? [xs[1]] : [])] : null;
    this.chart.update(
      { range: xs, log: logX, label: "resource (units of a report)", splits },
      { range: ys, log: ys !== null && needsLog(ys, LOG_RATIO), label: metricLabel(run) }, 320);
  }

  paint(context, chart) {
    const ratio = devicePixelRatio;
    const { left, width } = chart.plot.bbox;
    const strokes = new Map(DRAWN.map((state) => [state, [new Strokes(), new Strokes()]]));
    const size = Math.round(3 * ratio);
    for (const trial of this.run.trials) {
      const [lines, dots] = strokes.get(trial.state);
      const shown = trial.points;
      let x0 = 0;
      let y0 = 0;
      for (let i = 0; i < shown.length; i += 2) {
        const x = Math.round(chart.px(shown[i]));
        const y = Math.round(chart.py(shown[i + 1]));
        const isSeen = Math.max(x, i ? x0 : x) >= left && Math.min(x, i ? x0 : x) <= left + width;
        if (i > 0 && isSeen && (x !== x0 || y !== y0)) lines.line(x0, y0, x, y);
        x0 = x;
        y0 = y;
      }
      if (shown.length && x0 >= left && x0 <= left + width) dots.dot(x0, y0, size);
    }
    for (const state of DRAWN) {
      const [lines, dots] = strokes.get(state);
      context.strokeStyle = colours.get(state);
      context.fillStyle = colours.get(state);
      context.lineWidth = ratio;
      context.globalAlpha = state === "STOPPED" ? 0.6 : 0.9;
      lines.stroke(context);
      context.globalAlpha = 1;
      dots.fill(context);
    }
    const best = this.run.best;
    if (best) {
      const path = new Path2D();
      for (let i = 0; i < best.points.length; i += 2) path.lineTo(chart.px(best.points[i]), chart.py(best.points[i + 1]));
      context.strokeStyle = colours.get("best");
      context.lineWidth = 2.5 * ratio;
      context.stroke(path);
    }
  }

  at(x, y, chart) {
    const nearest = new Nearest(x, y);
    for (const trial of this.run.trials) {
      for (let i = 0; i < trial.points.length; i += 2) {
        nearest.see(chart.px(trial.points[i]), chart.py(trial.points[i + 1]), trial);
      }
    }
    return nearest.found;
  }
}

/** The extents of resources and metrics over all points of the trials' curves.
 *
 * @returns {([number, number] | null)[]}
 */
function extents(trials) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const { points } of trials) {
    for (let i = 0; i < points.length; i++) {
      if (points[i] < low[i % 2]) low[i % 2] = points[i];
      if (points[i] > high[i % 2]) high[i % 2] = points[i];
    }
  }
  return low.map((least, of) => (least <= high[of] ? [least, high[of]] : null));
}

class HistoryView {
  constructor(choose) {
    this.chart = new Chart(byId("history-chart"), {
      label: "Last metric of each trial by the time it ended, and the best so far",
      paint: (context, chart) => this.paint(context, chart),
      pick: (x, y, chart) => this.at(x, y, chart),
      choose,
    });
  }

  draw(run) {
    this.run = run;
    this.shown = run.trials.filter((trial) => isNumber(trial.metric));
    const [unit, seconds] = timeUnit(run.since(run.summary.now));
    this.seconds = seconds;
    const ys = extent(this.shown.map((trial) => trial.metric));
    const end = run.since(run.summary.now) / seconds;
    legend(byId("history-note"), stateKeys(run, this.shown),
      el("span", { className: "key" }, dot("best"), "best so far"),
      this.shown.length < run.trials.length
        ? `${showCount(run.trials.length - this.shown.length)} without a usable metric.` : "");
    this.chart.update(
      { range: ys && [0, Math.max(end, 1e-3)], label: `time since the start (${unit})` },
      { range: ys, log: ys !== null && needsLog(ys, LOG_RATIO), label: metricLabel(run, "last metric") }, 320);
  }

  paint(context, chart) {
    const size = Math.round(4 * devicePixelRatio);
    const { left, width } = chart.plot.bbox;
    const dots = new Map(DRAWN.map((state) => [state, new Strokes()]));
    for (const trial of this.shown) {
      const x = Math.round(chart.px(this.run.endOf(trial) / this.seconds));
      if (x < left || x > left + width) continue;
      dots.get(trial.state).dot(x, Math.round(chart.py(trial.metric)), size);
    }
    for (const state of DRAWN) {
      context.fillStyle = colours.get(state);
      dots.get(state).fill(context);
    }
    const steps = this.run.bestSoFar();
    if (steps.length === 0) return;
    const path = new Path2D();
    let y = null;
    for (const [time, metric] of steps) {
      const x = chart.px(time / this.seconds);
      if (y === null) path.moveTo(x, chart.py(metric));
      else path.lineTo(x, y);
      y = chart.py(metric);
      path.lineTo(x, y);
    }
    path.lineTo(chart.px(this.run.since(this.run.summary.now) / this.seconds), y);
    context.strokeStyle = colours.get("best");
    context.lineWidth = 2 * devicePixelRatio;
    context.stroke(path);
  }

  at(x, y, chart) {
    const nearest = new Nearest(x, y);
    for (const trial of this.shown) {
      nearest.see(chart.px(this.run.endOf(trial) / this.seconds), chart.py(trial.metric), trial);
    }
    return nearest.found;
  }
}

class TimelineView {
  constructor(choose) {
    this.chart = new Chart(byId("timeline-chart"), {
      label: "Trials as bars by worker over time",
      paint: (context, chart) => this.paint(context, chart),
      pick: (x, y, chart) => this.at(x, y, chart),
      choose,
    });
  }

  draw(run) {
    this.run = run;
    const rows = new Map();
    const workers = new Set(run.trials.map((trial) => trial.worker).filter((name) => name !== null));
    for (const name of [...workers].sort(COLLATOR.compare)) rows.set(name, rows.size);
    this.rows = rows;
    const [unit, seconds] = timeUnit(run.since(run.summary.now));
    this.seconds = seconds;
    const shown = Math.min(rows.size, MOST_ROWS);
    const again = run.trials.some((trial) => trial.attempts > 1);
    legend(byId("timeline-note"), stateKeys(run, run.trials.filter((trial) => trial.worker !== null)),
      `${showCount(rows.size)} worker${rows.size === 1 ? "" : "s"}.`,
      shown < rows.size ? ` The first ${MOST_ROWS} are shown.` : "",
      run.trials.some((trial) => trial.pauses.length) ? " A bar is broken where its trial paused." : "",
      again ? " A restarted trial is shown at its last worker, from its last start on." : "");
    const names = [...rows.keys()].map((name) => (name.length > 16 ? `…${name.slice(-15)}` : name));
    const height = Math.min(Math.max(shown * 22 + 70, 160), 420);
    const each = Math.ceil(14 / ((height - 60) / Math.max(shown, 1))); // names that do not overlap
    const splits = names.map((name, row) => row + 0.5).filter((place, row) => row < shown && row % each === 0);
    this.chart.update(
      { range: shown ? [0, Math.max(run.since(run.summary.now) / seconds, 1e-3)] : null, label: `time since the start (${unit})` },
      {
        range: shown ? [0, shown] : null, tight: true, reversed: true, label: "worker", splits,
        values: (found) => found.map((place) => names[Math.floor(place)]),
      }, height);
  }

  paint(context, chart) {
    const { left, width } = chart.plot.bbox;
    const ratio = devicePixelRatio;
    const thick = chart.py(1) - chart.py(0);
    const inside = Math.max(thick * 0.76, 1);
    for (const trial of this.run.trials) {
      const row = this.rowOf(trial);
      if (row === null) continue;
      const top = chart.py(row) + (thick - inside) / 2;
      context.fillStyle = colours.get(trial.state);
      for (const [x0, x1] of this.spans(trial, chart)) {
        if (x1 < left || x0 > left + width) continue;
        const gap = x1 - x0 > 4 * ratio ? ratio : 0;
        context.fillRect(x0, top, Math.max(x1 - x0 - gap, ratio), inside);
      }
    }
  }

  rowOf(trial) {
    const row = this.rows.get(trial.worker);
    return row === undefined || row >= MOST_ROWS || trial.start === null ? null : row;
  }

  /** Where its worker ran it: its bar, broken where it paused. */
  spans(trial, chart) {
    return stretches(trial, this.run.summary.now).map((times) =>
      times.map((time) => chart.px(this.run.since(time) / this.seconds)));
  }

  at(x, y, chart) {
    return this.run.trials.find((trial) => {
      const row = this.rowOf(trial);
      if (row === null || y < chart.py(row) || y >= chart.py(row + 1)) return false;
      return this.spans(trial, chart).some(([x0, x1]) => x >= x0 && x <= Math.max(x1, x0 + 2));
    }) || null;
  }
}
