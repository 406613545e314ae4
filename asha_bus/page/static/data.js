// @ts-check
"use strict";
// A run as the page holds it, made of the documents of asha_bus/page/document.py.

const FORMAT = 1;
const STATES = ["COMPLETED", "RUNNING", "PAUSED", "STOPPED", "PENDING", "CANCELLED", "FAILED", "LOST"];
const DECADES = 1000; // parameters that span this factor get a logarithmic axis
const MOST_EXTRAS = 16; // columns of the table; a trial's details have all
const LOG_RATIO = 30; // and metrics

// Numbers that JSON lacks are texts that Number() reads; null stays null.
function toNumber(value) {
  return value === null || value === undefined ? null : Number(value);
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

class Run {
  constructor(document) {
    if (document.format !== FORMAT) {
      throw new Error(`this page reads documents of format ${FORMAT}, got ${document.format}`);
    }
    this.document = document;
    this.trials = [];
    this.ordered = []; // by how well they stand
    this.byId = new Map();
    /** @type {string[]} the names of extras, in the order of their first appearance */
    this.extraNames = [];
    this.version = 0; // grows with each change
    this.put(document.trials);
    this.summary = document.summary;
  }

  get names() {
    return this.document.parameters.map((parameter) => parameter.name);
  }

  get sign() {
    return this.document.mode === "min" ? 1 : -1;
  }

  get best() {
    return this.summary.best === null ? null : this.byId.get(this.summary.best) || null;
  }

  /** Take the documents of trials, new or changed. */
  put(rows) {
    const fields = this.document.fields;
    for (const row of rows) {
      const trial = {};
      for (let i = 0; i < fields.length; i++) trial[fields[i]] = row[i];
      trial.metric = toNumber(trial.metric);
      trial.best_metric = toNumber(trial.best_metric);
      trial.resource = toNumber(trial.resource);
      trial.points = points(trial);
      trial.text = null;
      for (const name of Object.keys(trial.extras)) {
        if (this.extraNames.length < MOST_EXTRAS && !this.extraNames.includes(name)) this.extraNames.push(name);
      }
      const known = this.byId.get(trial.id);
      if (known) Object.assign(known, trial);
      else {
        this.byId.set(trial.id, trial);
        this.trials.push(trial);
      }
    }
    this.version += 1;
  }

  summarize(summary) {
    this.summary = summary;
    // names that trials have asked for; rows that came before lack the last ones
    if (summary.parameters) this.document.parameters = summary.parameters;
    this.version += 1;
  }

  /** The trials by rank, as `Result.best` chooses. */
  standing() {
    if (this.standingVersion !== this.version) {
      const sign = this.sign;
      // those that got further first, completed ones before all, those without a metric last
      for (const t of this.trials) {
        const isUsable = isNumber(t.metric) && t.state !== "FAILED" && t.state !== "LOST";
        t.reached = !isUsable ? -1 : t.state === "COMPLETED" ? Infinity : reached(t);
      }
      catchUp(this.ordered, this.trials);
      this.ordered.sort((a, b) => (a.reached === b.reached
        ? (a.reached < 0 ? 0 : sign * (a.metric - b.metric)) || a.id - b.id : b.reached - a.reached));
      this.ordered.forEach((t, i) => { t.place = t.reached < 0 ? null : i + 1; });
      this.standingTrials = this.ordered.filter((t) => t.place !== null);
      this.standingVersion = this.version;
    }
    return this.standingTrials;
  }

  /** Seconds since the run's start. */
  since(time) {
    return time === null ? null : time - this.summary.start;
  }

  /** When a trial last worked: when it ended or paused for good; now, if it is running. */
  endOf(trial) {
    return this.since(stretches(trial, this.summary.now).at(-1)[1]);
  }

  /** Steps [time, metric, trial] of the best so far, by the rule of `Result.best`. */
  bestSoFar() {
    const best = this.best;
    if (!best) return [];
    const completed = best.state === "COMPLETED";
    const rivals = this.standing().filter((t) => (completed
      ? t.state === "COMPLETED" : reached(t) === reached(best)));
    rivals.sort((a, b) => this.endOf(a) - this.endOf(b));
    const steps = [];
    for (const t of rivals) {
      const last = steps[steps.length - 1];
      if (!last || this.sign * (t.metric - last[1]) < 0) steps.push([this.endOf(t), t.metric, t]);
    }
    return steps;
  }
}

/** Add the new items of `all` to `some` and sort it, which is fast for sorted parts. */
function catchUp(some, all) {
  for (let i = some.length; i < all.length; i++) some.push(all[i]);
}

/** From when to when a worker ran a trial's last attempt: until `now`, if it still does. */
function stretches(trial, now) {
  const found = [];
  let from = trial.start;
  for (const [begin, end] of trial.pauses) {
    found.push([from, begin]);
    if (end === null) return found;
    from = end;
  }
  found.push([from, trial.end === null ? now : trial.end]);
  return found;
}

function reached(trial) {
  return trial.rungs.length ? trial.rungs[trial.rungs.length - 1][1] : 0;
}

/** The curve of a trial as resources and metrics in turn; values that are not numbers are left out. */
function points(trial) {
  const byResource = new Map();
  const between = trial.curve || [];
  for (let i = 0; i < between.length; i += 2) byResource.set(between[i], toNumber(between[i + 1]));
  for (const rung of trial.rungs) byResource.set(rung[1], toNumber(rung[2]));
  if (trial.metric !== null) byResource.set(trial.resource, trial.metric);
  const found = [];
  for (const [resource, metric] of [...byResource].sort((a, b) => a[0] - b[0])) {
    if (isNumber(metric)) found.push(resource, metric);
  }
  return found;
}

/** The smallest and the largest number; null if there is none.
 *
 * @returns {[number, number] | null}
 */
function extent(numbers) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of numbers) {
    if (!isNumber(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

function needsLog([low, high], ratio) {
  return low > 1e-250 && high / low >= ratio; // the ticks of less are not exact
}

// --- text --------------------------------------------------------------------

/** A number with six digits at most. */
function show(value) {
  if (value === null || value === undefined) return "-";
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  const rounded = Number(value.toPrecision(6));
  return Math.abs(rounded) >= 1e-3 ? String(rounded) : rounded.toExponential();
}

function showCount(value) {
  return value.toLocaleString("en");
}

/** A parameter's value. */
function showValue(value) {
  if (value === null) return "None";
  if (typeof value === "number") return show(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A trial's value of the parameter with that number; null: it has none, or none yet. */
function parameterOf(trial, i) {
  return i < trial.params.length ? trial.params[i] : null;
}

/** A trial's value of a parameter; it has none in other options and members of the space. */
function showParameter(value) {
  return value === null ? "" : showValue(value);
}

/** The parameters that a trial has, as pairs of name and text. */
function parametersOf(run, trial) {
  return run.names.flatMap((name, i) => {
    const value = parameterOf(trial, i);
    return value === null ? [] : [[name, showValue(value)]];
  });
}

function showSeconds(seconds) {
  if (!isNumber(seconds)) return "-";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts[0] ? `${parts[0]} h ${parts[1]} min` : `${parts[1]} min ${parts[2]} s`;
}

/** Which unit a span of time is shown in, with its seconds.
 *
 * @returns {[string, number]}
 */
function timeUnit(span) {
  if (span >= 7200) return ["hours", 3600];
  return span >= 120 ? ["minutes", 60] : ["seconds", 1];
}
