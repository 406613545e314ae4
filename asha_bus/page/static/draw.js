// @ts-check
// What the charts share: elements, colours, a uPlot with its own painter, the tip.

/** An element of page.html, where its kind stands.
 *
 * @returns {any}
 */
function byId(id) {
  return document.getElementById(id);
}

/** An element with properties and children; text is never read as HTML.
 *
 * @returns {any}
 */
function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role" || name === "scope" || name === "colspan") {
      made.setAttribute(name, value);
    } else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Put other children into `holder`; the keyboard stays at the button where it was. */
function refill(holder, ...children) {
  const at = [...holder.querySelectorAll("button")].indexOf(document.activeElement);
  holder.replaceChildren(...children);
  const again = at < 0 ? undefined : holder.querySelectorAll("button")[at];
  if (again) again.focus({ preventScroll: true });
}

/** Show `text`, which screen readers read out, if it is new. */
function retell(holder, text) {
  if (holder.textContent !== text) holder.textContent = text;
}

function dot(colour) {
  const made = el("span", { className: "dot" });
  made.style.background = `var(--${colour})`;
  return made;
}

/** A legend: pairs of a colour's name and a text. */
function legend(holder, keys, ...rest) {
  holder.replaceChildren(
    ...keys.map(([colour, text]) => el("span", { className: "key" }, dot(colour), text)), ...rest);
}

const colours = {
  known: new Map(),
  get(name) {
    if (!this.known.has(name)) {
      const style = getComputedStyle(document.documentElement);
      this.known.set(name, style.getPropertyValue(`--${name}`).trim());
    }
    return this.known.get(name);
  },
};

const tip = {
  show(text, event) {
    const shown = byId("tip");
    shown.textContent = text;
    shown.hidden = false;
    const left = Math.min(event.clientX + 14, window.innerWidth - shown.offsetWidth - 6);
    const top = Math.min(event.clientY + 16, window.innerHeight - shown.offsetHeight - 6);
    shown.style.transform = `translate(${Math.max(left, 4)}px, ${Math.max(top, 4)}px)`;
  },
  hide() {
    byId("tip").hidden = true;
  },
};

function tipOf(trial) {
  return `trial ${trial.id} · ${trial.state} · metric ${show(trial.metric)} at ${show(trial.resource)}`;
}

/** One chart: uPlot keeps axes, sizes and zoom, and `paint` draws the rest.
 *
 * `paint(context, chart)`: `chart.px(value)` and `chart.py(value)` are canvas pixels then;
 * `pick(x, y, chart)`: the trial at a place in these; `choose(trial)`: a click there.
 */
class Chart {
  constructor(holder, { label, paint, pick, choose }) {
    this.holder = holder;
    this.label = label;
    this.paint = paint;
    this.pick = pick;
    this.choose = choose;
    this.plot = null;
    this.zoomed = false;
    this.shape = "";
    new ResizeObserver(() => this.resize()).observe(holder);
  }

  /** Redraw. `x` and `y`: { range, log, label, splits, values, reversed, tight }. */
  update(x, y, height) {
    if (x.range === null || y.range === null) {
      this.empty();
      return;
    }
    this.x = x;
    this.y = y;
    const shape = JSON.stringify([x.log, y.log, x.label, y.label, height]);
    const data = [[x.range[0], x.range[1]], [y.range[0], y.range[1]]];
    if (this.plot === null || shape !== this.shape) {
      this.destroy();
      this.holder.replaceChildren();
      this.shape = shape;
      this.plot = new uPlot(this.options(height), data, this.holder);
      this.listen();
    } else this.plot.setData(data, !this.zoomed);
  }

  destroy() {
    if (this.plot) this.plot.destroy();
    this.plot = null;
    this.zoomed = false;
  }

  empty() {
    this.destroy();
    this.holder.replaceChildren(el("p", { className: "empty" }, "nothing to show"));
  }

  resize() {
    const width = this.holder.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.plot.height });
    }
  }

  redraw() {
    if (this.plot) this.plot.redraw(false, true);
  }

  options(height) {
    const axis = (of, more) => ({
      label: this[of].label,
      labelSize: 18,
      labelGap: 0,
      labelFont: "12px system-ui, sans-serif",
      font: "12px system-ui, sans-serif",
      stroke: () => colours.get("muted"),
      grid: { stroke: () => colours.get("grid"), width: 1 },
      ticks: { stroke: () => colours.get("line"), width: 1, size: 5 },
      ...more,
    });
    const splits = (of) => (this[of].splits || this[of].log ? {
      splits: ({ scales }) => (this[of].splits ? within(this[of].splits, scales[of]) : logSplits(scales[of])),
      filter: (plot, found) => found, // uPlot would leave some out
    } : {});
    const values = (of, otherwise) => (plot, found) => (this[of].values || otherwise)(found);
    return {
      width: Math.max(this.holder.clientWidth, 100),
      height,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
      scales: {
        x: {
          time: false,
          distr: this.x.log ? 3 : 1,
          range: (plot, low, high) => this.ranged("x", low, high),
        },
        y: {
          distr: this.y.log ? 3 : 1,
          dir: this.y.reversed ? -1 : 1,
          range: () => this.ranged("y", ...this.y.range),
        },
      },
      axes: [
        axis("x", {
          ...splits("x"),
          values: values("x", (found) => found.map(tickText)),
          size: 30,
        }),
        axis("y", {
          ...splits("y"),
          values: values("y", (found) => found.map(tickText)),
          size: (plot, texts) => 18 + 7 * Math.max(4, ...(texts || []).map((text) => (text || "").length)),
        }),
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        draw: [(plot) => {
          const { ctx: context, bbox } = plot;
          this.px = this.positions("x");
          this.py = this.positions("y");
          context.save();
          context.beginPath();
          context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
          context.clip();
          this.paint(context, this);
          context.restore();
        }],
        setSelect: [(plot) => { this.zoomed = this.zoomed || plot.select.width > 0; }],
      },
    };
  }

  /** The bounds of an axis with some room; uPlot makes no axis of a span that is all but nothing. */
  ranged(of, least, most) {
    const axis = this[of];
    const [low, high] = [drawable(least), drawable(most)];
    if (axis.tight || (of === "x" && this.zoomed)) return [low, high];
    if (axis.log) {
      const room = Math.max(Math.pow(high / low, 0.03), 1.02);
      return [low / room, high * room];
    }
    const size = Math.max(Math.abs(low), Math.abs(high));
    const room = high > low ? Math.max((high - low) * 0.03, size * 1e-9, LEAST) : size > LEAST ? size * 0.1 : 1;
    return [low - room, high + room];
  }

  /** A function from values of an axis to canvas pixels: uPlot's own is slow for many. */
  positions(of) {
    const { min, max } = this.plot.scales[of];
    const scale = this[of].log ? Math.log : (value) => value;
    const low = scale(min);
    const begin = this.plot.valToPos(min, of, true);
    const step = (this.plot.valToPos(max, of, true) - begin) / (scale(max) - low);
    return (value) => begin + (scale(drawable(value)) - low) * step;
  }

  listen() {
    const over = this.plot.over;
    this.plot.ctx.canvas.setAttribute("aria-hidden", "true"); // the label is at what lies over it
    over.setAttribute("role", "img");
    over.setAttribute("aria-label", this.label);
    over.addEventListener("dblclick", () => { this.zoomed = false; });
    const find = (event) => {
      const box = over.getBoundingClientRect();
      const ratio = devicePixelRatio;
      return this.pick(
        (event.clientX - box.left) * ratio + this.plot.bbox.left,
        (event.clientY - box.top) * ratio + this.plot.bbox.top, this);
    };
    let waiting = false;
    over.addEventListener("mousemove", (event) => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        const trial = this.plot && find(event);
        if (trial) tip.show(tipOf(trial), event);
        else tip.hide();
      });
    });
    over.addEventListener("mouseleave", () => tip.hide());
    let pressed = null;
    over.addEventListener("mousedown", (event) => { pressed = event.clientX; });
    over.addEventListener("click", (event) => {
      if (pressed !== null && Math.abs(event.clientX - pressed) > 3) return; // it was a zoom
      const trial = find(event);
      if (trial) this.choose(trial);
    });
  }
}

const MOST = 1e280; // numbers beyond, of either sign, are drawn there
const LEAST = 1e-30; // what is nearer to 0 is drawn as 0, unless the axis is logarithmic

/** Where a number is drawn. */
function drawable(value) {
  return value > MOST ? MOST : value < -MOST ? -MOST : value;
}

function tickText(value) {
  if (value === null) return null;
  const size = Math.abs(value);
  const rounded = Number(value.toPrecision(6));
  if (value !== 0 && (size >= 1e5 || size < 1e-3)) return rounded.toExponential().replace("e+", "e");
  return String(rounded);
}

function within(splits, scale) {
  return splits.filter((value) => value >= scale.min && value <= scale.max);
}

/** Round places of a logarithmic axis. */
function logSplits({ min, max }) {
  const steps = max / min > 1e4 ? [1] : max / min > 3 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
  const found = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power++) {
    // a power below 0 would not be exact as a factor
    for (const step of steps) found.push(power < 0 ? step / 10 ** -power : step * 10 ** power);
  }
  return within(found, { min, max });
}

/** Lines and dots of one colour; those that fall on the same pixels are drawn once. */
class Strokes {
  constructor() {
    this.seen = new Set();
    this.paths = [];
    this.room = 0;
  }

  // one path of all lines would be slow to fill where they cross, so a path holds some of them
  get path() {
    if (this.room === 0) {
      this.paths.push(new Path2D());
      this.room = 200;
    }
    this.room -= 1;
    return this.paths[this.paths.length - 1];
  }

  line(x0, y0, x1, y1) {
    // whole numbers below 2**13: four of them make one that is exact
    const key = ((x0 * 8192 + y0) * 8192 + x1) * 8192 + y1;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    const path = this.path;
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  }

  dot(x, y, size) {
    const key = -(x * 8192 + y);
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.path.rect(x - size / 2, y - size / 2, size, size);
  }

  stroke(context) {
    for (const path of this.paths) context.stroke(path);
  }

  fill(context) {
    for (const path of this.paths) context.fill(path);
  }
}

/** The item next to a place, within a few pixels. */
class Nearest {
  constructor(x, y, most = 14) {
    this.x = x;
    this.y = y;
    this.least = (most * devicePixelRatio) ** 2;
    this.found = null;
  }

  see(x, y, thing) {
    const distance = (x - this.x) ** 2 + (y - this.y) ** 2;
    if (distance < this.least) {
      this.least = distance;
      this.found = thing;
    }
  }
}
