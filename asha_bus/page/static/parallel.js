// @ts-check
// Parallel coordinates: one line per trial through its parameters, its resource and its metric.

const MOST_LINES = 2000; // at most this number of trials are drawn, evenly by rank
const LINES_A_PATH = 25; // a path of many lines is slow to fill where they cross
const MOST_PIXELS = 15000; // a canvas of more than 32767 shows nothing, twice that with fine pixels
const NOWHERE = -0.04; // below its axis is a trial that has no value there
/** @type {[number, string][]} groups by rank: up to which share of the trials, and its name */
const GROUPS = [[0.05, "best 5 %"], [0.25, "best 25 %"], [0.5, "best 50 %"], [1, "the others"]];

class ParallelView {
  constructor() {
    this.canvas = byId("parallel-chart");
    this.holder = this.canvas.parentElement;
    this.empty = el("p", { className: "empty" }, "nothing to show");
    new ResizeObserver(() => { if (this.run) this.paint(); }).observe(this.holder);
  }

  draw(run) {
    this.run = run;
    const standing = run.standing();
    this.holder.replaceChildren(standing.length ? this.canvas : this.empty);
    const step = Math.max(standing.length / MOST_LINES, 1);
    this.shown = [];
    for (let i = 0; Math.floor(i) < standing.length; i += step) this.shown.push(standing[Math.floor(i)]);
    legend(byId("parallel-note"), GROUPS.map(([, text], i) => [`place-${i}`, text]),
      "Ordered by progress, then by metric.",
      step > 1 ? ` ${showCount(this.shown.length)} of ${showCount(standing.length)} lines are drawn, evenly chosen.` : "");
    this.axes = [
      ...run.document.parameters.map((parameter, i) => this.axis(
        parameter.name, this.shown.map((t) => parameterOf(t, i)), parameter.kind)),
      this.axis("resource", this.shown.map((t) => t.resource), "randint"),
      this.axis("metric", this.shown.map((t) => t.metric), "metric"),
    ];
    this.canvas.setAttribute("aria-label",
      `Parallel coordinates of ${this.shown.length} trials over ${this.axes.map((axis) => axis.name).join(", ")}`);
    this.paint();
  }

  /** The position of each value between 0 and 1, and the labels of the axis. */
  axis(name, values, kind) {
    const there = values.filter((value) => value !== null);
    if (there.length > 0 && there.every(isNumber)) {
      const [low, high] = extent(there);
      const ratio = kind === "metric" ? LOG_RATIO : DECADES;
      const isLog = kind === "loguniform" || kind === "lognormal" || (kind !== "uniform" && kind !== "normal" && needsLog([low, high], kind === "randint" ? 10 : ratio));
      const scale = isLog && low > 0 ? Math.log : (value) => value;
      const part = isNumber(high - low) ? 1 : 0.5; // half of any difference is a number
      const span = scale(high) * part - scale(low) * part;
      const places = values.map((value) => {
        if (value === null) return NOWHERE;
        return span === 0 ? 0.5 : (scale(value) * part - scale(low) * part) / span;
      });
      const middle = scale === Math.log ? Math.sqrt(low) * Math.sqrt(high) : low / 2 + high / 2;
      const ticks = span === 0 ? [[0.5, tick(low)]] : [[0, tick(low)], [0.5, tick(middle)], [1, tick(high)]];
      return { name, places, ticks };
    }
    const options = [...new Set(there.map(showValue))].sort();
    const index = new Map(options.map((option, i) => [option, options.length > 1 ? i / (options.length - 1) : 0.5]));
    const each = Math.ceil(options.length / 12);
    const ticks = options.filter((option, i) => i % each === 0).map((option) => [index.get(option), option]);
    return { name, places: values.map((value) => (value === null ? NOWHERE : index.get(showValue(value)))), ticks };
  }

  paint() {
    const ratio = devicePixelRatio;
    const width = Math.max(this.holder.clientWidth, Math.min(this.axes.length * 84, MOST_PIXELS));
    const height = 300;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const gap = (width - 90) / Math.max(this.axes.length - 1, 1);
    const xs = this.axes.map((axis, i) => 20 + i * gap);
    const [top, bottom] = [34, height - 12];
    this.lines(context, xs, top, bottom);
    context.font = "12px system-ui, sans-serif";
    this.axes.forEach((axis, i) => {
      context.fillStyle = colours.get("muted");
      context.fillRect(xs[i], top, 1, bottom - top);
      context.textAlign = i === 0 ? "left" : "center";
      context.font = "600 12px system-ui, sans-serif";
      context.fillStyle = colours.get("text");
      context.fillText(fittedEnd(context, axis.name, i === 0 ? gap / 2 + 8 : gap - 8), i === 0 ? 4 : xs[i], 16);
      context.font = "11px system-ui, sans-serif";
      context.textAlign = "left";
      for (const [place, text] of axis.ticks) {
        const y = bottom - place * (bottom - top);
        const shown = fitted(context, text, Math.min(gap, 90) - 12);
        context.fillStyle = colours.get("card");
        context.globalAlpha = 0.8;
        context.fillRect(xs[i] + 4, y - 7, context.measureText(shown).width + 4, 14);
        context.globalAlpha = 1;
        context.fillStyle = colours.get("text");
        context.fillText(shown, xs[i] + 6, y + 4);
      }
    });
  }

  lines(context, xs, top, bottom) {
    let from = this.shown.length;
    for (let group = GROUPS.length - 1; group >= 0; group--) {
      const until = group === 0 ? 0 : Math.max(Math.ceil(this.shown.length * GROUPS[group - 1][0]), 1);
      context.strokeStyle = colours.get(`place-${group}`);
      context.globalAlpha = group === 0 ? 0.95 : 0.6;
      context.lineWidth = group === 0 ? 1.6 : 1;
      for (let row = from - 1; row >= until; row--) {
        const isFirst = (from - 1 - row) % LINES_A_PATH === 0;
        if (isFirst) context.beginPath();
        for (let i = 0; i < xs.length; i++) {
          const y = bottom - this.axes[i].places[row] * (bottom - top);
          if (i === 0) context.moveTo(xs[i], y);
          else context.lineTo(xs[i], y);
        }
        if (row === until || (from - row) % LINES_A_PATH === 0) context.stroke();
      }
      from = until;
    }
    context.globalAlpha = 1;
  }
}

function tick(value) {
  return tickText(Number(value.toPrecision(3)));
}

/** The end of a name, since many names begin alike. */
function fittedEnd(context, text, width) {
  let shown = text;
  for (let i = 1; i < text.length && context.measureText(shown).width > width; i++) shown = `…${text.slice(i)}`;
  return shown;
}

function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}
