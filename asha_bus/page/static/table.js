// @ts-check
// The table of trials: filtered and sorted; only visible rows exist.

const ROW_HEIGHT = 29; // of the style sheet's 28 and a line
const SPARE_ROWS = 8; // beyond each edge
const COMPARISON = /^([^<>=!]+)(<=|>=|!=|<|>|=)(.+)$/;
const WORD = /(?:"[^"]*"|[^\s"]|"(?=[^"]*$))+/g; // quotes hold names and texts with spaces together

/** Name, width in pixels, what it sorts and compares by, and what is shown. */
function columnsOf(run) {
  const fixed = [
    ["place", 78, (t) => t.place, (t) => show(t.place)],
    ["id", 64, (t) => t.id, (t) => String(t.id)],
    ["state", 128, (t) => STATES.indexOf(t.state), (t) => t.state],
    ["metric", 104, (t) => t.metric, (t) => show(t.metric)],
    ["resource", 92, (t) => t.resource, (t) => show(t.resource)],
    ["rungs", 70, (t) => t.rungs.length, (t) => String(t.rungs.length)],
  ];
  const parameters = run.names.map((name, i) => [
    name, Math.min(Math.max(112, name.length * 8 + 24), 260), (t) => parameterOf(t, i), (t) => showParameter(parameterOf(t, i))]);
  const extras = run.extraNames.map((name) => [
    `extras.${name}`, Math.min(Math.max(112, (name.length + 7) * 8 + 24), 260),
    (t) => extraOf(t, name), (t) => show(extraOf(t, name))]);
  const last = [
    ["seconds", 92, (t) => seconds(run, t), (t) => show(round(seconds(run, t)))],
    ["attempts", 90, (t) => t.attempts, (t) => String(t.attempts)],
    ["worker", 130, (t) => t.worker, (t) => t.worker || "-"],
  ];
  return [...fixed, ...parameters, ...extras, ...last].map(([name, width, key, text]) => ({ name, width, key, text }));
}

/** An extra of the last report: a number or a text; null if there was none. */
function extraOf(trial, name) {
  if (!Object.hasOwn(trial.extras, name)) return null;
  const value = trial.extras[name];
  return ["NaN", "Infinity", "-Infinity"].includes(value) ? Number(value) : value;
}

function seconds(run, trial) {
  return trial.start === null ? null : run.endOf(trial) - run.since(trial.start);
}

function round(value) {
  return value === null ? null : Math.round(value * 1000) / 1000;
}

class TableView {
  constructor(choose) {
    this.choose = choose;
    this.sort = { name: "place", falling: false };
    this.states = new Set();
    this.chosen = null;
    this.focused = 0;
    this.order = [];
    this.made = [0, 0]; // the rows that are there
    this.holder = byId("rows");
    this.body = byId("body");
    this.holder.addEventListener("scroll", () => this.moved());
    new ResizeObserver(() => this.moved()).observe(this.holder);
    byId("filter").addEventListener("input", () => this.chosenOther());
    byId("heads").addEventListener("keydown", (event) => this.headKey(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-id]");
      if (row) this.pick(row);
    });
    this.body.addEventListener("keydown", (event) => this.key(event));
  }

  draw(run) {
    const columns = columnsOf(run);
    const isOther = this.run !== run;
    if (isOther) this.sorted = [];
    if (isOther || columns.length !== this.columns.length) { // an extra may be new
      this.run = run;
      this.columns = columns;
      this.heads();
    }
    this.filters();
    byId("shown").setAttribute("aria-live", "off");
    this.changed();
  }

  /** The user filters or sorts: the number of shown trials is read out. */
  chosenOther() {
    byId("shown").setAttribute("aria-live", "polite");
    this.changed();
  }

  heads() {
    byId("columns").replaceChildren(...this.columns.map(({ width }) => {
      const column = el("col");
      column.style.width = `${width}px`;
      return column;
    }));
    this.holder.firstElementChild.style.minWidth = `${this.columns.reduce((sum, { width }) => sum + width, 0)}px`;
    byId("heads").replaceChildren(...this.columns.map((column, i) => {
      const button = el("button", { type: "button", title: `Sort by ${column.name}`, tabIndex: i === 0 ? 0 : -1 }, column.name);
      button.addEventListener("click", () => {
        const again = this.sort.name === column.name;
        this.sort = { name: column.name, falling: again && !this.sort.falling };
        this.changed();
      });
      return el("th", { scope: "col", className: isLeft(column) ? "left" : "right" }, button);
    }));
  }

  filters() {
    const counts = this.run.summary.states;
    const shown = STATES.filter((state) => counts[state] || this.states.has(state));
    refill(byId("state-filters"), ...shown.map((state) => {
      const button = el("button", { type: "button", "aria-pressed": String(this.states.has(state)) },
        dot(state), `${state} ${showCount(counts[state] || 0)}`);
      button.addEventListener("click", () => {
        if (!this.states.delete(state)) this.states.add(state);
        this.filters();
        this.chosenOther();
      });
      return button;
    }));
  }

  /** Which trials are shown, in which order. */
  changed() {
    this.run.standing();
    const column = this.columns.find(({ name }) => name === this.sort.name);
    const sign = this.sort.falling ? -1 : 1;
    catchUp(this.sorted, this.run.trials);
    for (const trial of this.sorted) trial.key = column.key(trial);
    this.sorted.sort((a, b) => compare(a.key, b.key, sign) || a.id - b.id);
    const wanted = conditions(byId("filter").value, this.columns);
    this.order = this.sorted.filter((trial) =>
      (this.states.size === 0 || this.states.has(trial.state)) && wanted.every((is) => is(trial, this)));
    this.columns.forEach(({ name }, i) => {
      const isSorted = name === this.sort.name;
      const head = byId("heads").children[i];
      head.setAttribute("aria-sort", isSorted ? (this.sort.falling ? "descending" : "ascending") : "none");
      head.firstChild.textContent = isSorted ? `${name} ${this.sort.falling ? "▾" : "▴"}` : name;
    });
    byId("shown").textContent = `${showCount(this.order.length)} of ${showCount(this.run.trials.length)} trials`;
    const table = this.holder.firstElementChild;
    table.setAttribute("aria-rowcount", this.order.length + 1);
    this.focused = Math.min(this.focused, Math.max(this.order.length - 1, 0));
    this.rows();
  }

  /** Make the visible rows that are missing. */
  moved() {
    if (!this.run) return;
    const [first, last] = this.made;
    const top = this.holder.scrollTop / ROW_HEIGHT;
    const bottom = top + this.holder.clientHeight / ROW_HEIGHT;
    if (top < first || Math.min(bottom, this.order.length) > last) this.rows();
  }

  /** Make the visible rows, and some beyond. */
  rows() {
    if (!this.run) return;
    const first = Math.max(Math.floor(this.holder.scrollTop / ROW_HEIGHT) - SPARE_ROWS, 0);
    const count = Math.ceil(this.holder.clientHeight / ROW_HEIGHT) + 2 * SPARE_ROWS;
    const last = Math.min(first + count, this.order.length);
    const hadFocus = this.body.contains(document.activeElement);
    const made = [this.space(first)];
    for (let i = first; i < last; i++) made.push(this.row(this.order[i], i));
    made.push(this.space(this.order.length - last));
    this.body.replaceChildren(...made);
    this.made = [first, last];
    const focusable = this.body.querySelector('[tabindex="0"]');
    if (hadFocus && focusable) focusable.focus({ preventScroll: true });
    else if (!focusable && last > first) this.body.children[1].tabIndex = 0;
  }

  space(rows) {
    const row = el("tr", { className: "space", "aria-hidden": "true" }, el("td", { colspan: this.columns.length }));
    row.firstChild.style.height = `${rows * ROW_HEIGHT}px`;
    return row;
  }

  row(trial, position) {
    const made = el("tr", {
      "aria-rowindex": position + 2, "aria-selected": String(trial === this.chosen),
      tabIndex: position === this.focused ? 0 : -1,
    });
    made.dataset.id = trial.id;
    made.dataset.position = position;
    for (const column of this.columns) {
      const text = column.text(trial);
      const cell = el(column.name === "id" ? "th" : "td", { className: isLeft(column) ? "left" : "right" });
      if (column.name === "id") cell.scope = "row";
      if (column.name === "state") cell.append(dot(trial.state));
      if (text.length > 12) cell.title = text;
      cell.append(text);
      made.append(cell);
    }
    return made;
  }

  pick(row) {
    this.focused = Number(row.dataset.position);
    this.choose(this.run.byId.get(Number(row.dataset.id)));
  }

  /** Move among the heads, one of which is a tab stop. */
  headKey(event) {
    const heads = [...byId("heads").querySelectorAll("button")];
    const at = heads.indexOf(event.target);
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: heads.length - 1 };
    let next = heads[steps[event.key]];
    if (event.key === "ArrowDown") next = this.body.querySelector('[tabindex="0"]');
    else if (next) heads.forEach((head) => { head.tabIndex = head === next ? 0 : -1; });
    if (!next) return;
    next.focus();
    event.preventDefault();
  }

  key(event) {
    const row = event.target.closest("tr[data-id]");
    if (!row) return;
    if (event.key === "ArrowUp" && row.dataset.position === "0") {
      byId("heads").querySelector('[tabindex="0"]').focus();
      event.preventDefault();
      return;
    }
    const page = Math.floor(this.holder.clientHeight / ROW_HEIGHT) - 2;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" || event.key === " ") this.pick(row);
    else if (event.key in steps) {
      const target = Number(row.dataset.position) + steps[event.key];
      this.focused = Math.min(Math.max(target, 0), this.order.length - 1);
      const top = this.focused * ROW_HEIGHT;
      const room = this.holder.clientHeight - 2 * ROW_HEIGHT;
      if (top < this.holder.scrollTop) this.holder.scrollTop = top;
      else if (top > this.holder.scrollTop + room) this.holder.scrollTop = top - room;
      this.rows();
    } else return;
    event.preventDefault();
  }

  /** Mark the row of the chosen trial. */
  mark(trial) {
    this.chosen = trial;
    this.rows();
  }
}

function isLeft(column) {
  return column.name === "state" || column.name === "worker";
}

/** Numbers first, then texts, and missing values last in both directions. */
function compare(a, b, sign) {
  if (isNumber(a) && isNumber(b)) return sign * (a - b);
  const order = classOf(a) - classOf(b);
  return order !== 0 || a === null ? order : sign * String(a).localeCompare(String(b), "en");
}

function classOf(key) {
  return isNumber(key) ? 0 : key === null ? 2 : 1;
}

/** The conditions of a filter: each takes a trial. */
function conditions(text, columns) {
  return (text.match(WORD) || []).map((found) => {
    const word = found.replace(/"([^"]*)"/g, "$1");
    const parts = COMPARISON.exec(word);
    const column = parts && columns.find(({ name }) => name === parts[1]);
    if (!column) {
      const wanted = word.toLowerCase();
      return (trial, table) => textOf(trial, table).includes(wanted);
    }
    const number = Number(parts[3]);
    const isEqual = (trial) => (isNumber(number) && isNumber(column.key(trial))
      ? column.key(trial) === number || column.text(trial) === show(number)
      : column.text(trial).toLowerCase() === parts[3].toLowerCase());
    const tests = {
      "<": (value) => value < number, "<=": (value) => value <= number,
      ">": (value) => value > number, ">=": (value) => value >= number,
    };
    if (parts[2] === "=") return isEqual;
    if (parts[2] === "!=") return (trial) => !isEqual(trial);
    return (trial) => isNumber(column.key(trial)) && tests[parts[2]](column.key(trial));
  });
}

function textOf(trial, table) {
  if (trial.text === null) {
    const values = parametersOf(table.run, trial).map(([name, value]) => `${name}=${value}`);
    const error = trial.error === null ? "" : trial.error;
    trial.text = `${trial.id} ${trial.state} ${trial.worker} ${values.join(" ")} ${error}`.toLowerCase();
  }
  return trial.text;
}
