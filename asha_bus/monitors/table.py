"""A run as a table of text, for terminals and notebooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from asha_bus.core.trial import FINAL, RungStanding, TrialState
from asha_bus.core.trials import ranked_trials
from asha_bus.monitors.base import RunInfo, Snapshot
from asha_bus.monitors.line import PlainLines, best_text, clock, params_text
from asha_bus.monitors.screen import cut
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result
from asha_bus.results.rungs import entered_text, has_plans, pauses, standings
from asha_bus.results.tables import table

#: The largest numbers of running trials and of curves that are shown.
_MOST_TRIALS = 8
_MOST_CURVES = 5

_CURVE_COLUMNS = 24
_BAR_COLUMNS = 24
_BLOCKS = "▁▂▃▄▅▆▇█"


def run_table(
    run: RunInfo,
    result: Result,
    workers: int | None,
    *,
    width: int,
    height: int,
    with_curves: bool = False,
    awaited: int = 0,
) -> list[str]:
    """The run at ``result`` in at most ``height`` lines of at most ``width`` columns.

    It shows trials by state, the best trial, the rungs and the running trials, and with
    ``with_curves`` the curves of the leading trials. ``workers``: the number of live ones;
    None: the run is over. ``awaited``: how many more are to come. If space is short, the
    last lines of a part are left out.
    """
    lines = [*_head(run, result, workers, awaited), f"best: {best_text(result.best)}"]
    parts = [_rungs(result)]
    if with_curves:
        parts.append(_curves(result))
    parts.append(_running(result))
    for number, part in enumerate(parts):
        room = height - len(lines) - 1
        if number < len(parts) - 1:  # keep space for the next part
            room = max(room * 2 // 3, room - len(parts[-1]) - 1)
        if len(part) > 1 and room > 1:
            lines += ["", *_fit(part, room)]
    return [cut(line, width) for line in lines[: max(height, 1)]]


class RungLines(PlainLines):
    """The lines of `PlainLines`, each with the rungs below it, where there is no terminal."""

    follows_trials = True
    #: Makes the result whose rungs are shown; None: there is none yet.
    _result_now: Callable[[], Result] | None = None

    def on_refresh(self, snapshot: Snapshot) -> None:
        """Show the state of the run and its rungs, if it is time."""
        self._result_now = snapshot.result
        super().on_refresh(snapshot)

    def on_finish(self, result: Result | None) -> None:
        """Show the result and its rungs."""
        self._result_now = None if result is None else lambda: result
        super().on_finish(result)

    def show(self, line: str) -> None:
        """Print it, and a line for each rung that there is."""
        super().show(line)
        rungs = [] if self._result_now is None else _rungs(self._result_now())
        for one in rungs if len(rungs) > 1 else []:  # there is more than the head
            super().show(one)


def sparkline(values: Sequence[float], columns: int = _CURVE_COLUMNS) -> str:
    """The finite values as blocks of different heights, thinned out to ``columns`` blocks."""
    shown = [value for value in values if math.isfinite(value)]
    if len(shown) > columns:
        step = (len(shown) - 1) / (columns - 1)
        shown = [shown[round(number * step)] for number in range(columns)]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = high - low
    if span == 0 or not math.isfinite(span):
        return _BLOCKS[0] * len(shown)
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((value - low) / span * top)] for value in shown)


def _head(run: RunInfo, result: Result, workers: int | None, awaited: int) -> list[str]:
    counts = result.counts
    finished = sum(counts[state] for state in FINAL)
    total = f" of {run.max_trials}" if run.max_trials is not None else ""
    elapsed_s = result.elapsed_s
    there = f"ended by {result.reason}" if workers is None else f"{workers} workers"
    if workers is not None and awaited:
        there += f" (waits for {awaited} more)"
    pace = f"{clock(elapsed_s)} elapsed, {there}"
    if elapsed_s > 0:
        trials, reports = finished / elapsed_s, result.bus.reports / elapsed_s
        pace += f", {trials:.3g} trials/s, {reports:.3g} reports/s"
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return [
        f"{run.name}: {run.mode} by {run.scheduler}",
        f"{finished}{total} trials done{f': {states}' if states else ''}",
        pace,
        *([_residents(result)] if pauses(result) else []),
    ]


def _residents(result: Result) -> str:
    """Who has paused trials in memory, and how long they waited to continue."""
    bus, held = result.bus, result.bus.residents
    text = f"paused in memory: {sum(held.values())}"
    if held:
        text += f", at most {max(held.values())} in one worker"
    if bus.dropped_residents:
        text += f", {bus.dropped_residents} dropped"
    if bus.saved_residents:
        text += f", {bus.saved_residents} saved"
    if math.isfinite(bus.promotion_wait_max_s):
        text += (
            f"; those promoted waited {bus.promotion_wait_p50_s:.3g} s (median), "
            f"{bus.promotion_wait_max_s:.3g} s (longest)"
        )
    return text


def _rungs(result: Result) -> list[str]:
    """Each rung: entries, trials that continued, and the current cutoff."""
    if pauses(result):
        return _plans(standings(result))
    rungs = standings(result)
    rows = [("rung", "resource", "entries", "went on", "cutoff")]
    for rung in rungs:
        name = f"{rung.bracket}/{rung.rung}" if has_plans(rungs) else f"{rung.rung}"
        rows.append(
            (name, f"{rung.resource:g}", f"{rung.entries}", f"{rung.passed}", _cutoff(rung))
        )
    return table(rows).splitlines()


def _plans(rungs: list[RungStanding]) -> list[str]:
    """The rungs of a scheduler that pauses, a group of lines for each plan, with bars.

    In a bar, `█` went on or is kept, `▒` is paused, `░` was stopped, `·` is still to come.
    """
    rows = [("rung", "resource", "entered", "paused", "went on", "keeps", "cutoff", "")]
    most = max(max(rung.entries, rung.expected or 0) for rung in rungs)
    plan = None
    for rung in rungs:
        if has_plans(rungs) and rung.bracket != plan:
            plan = rung.bracket
            rows.append((f"plan {plan}", "", "", "", "", "", "", ""))
        rows.append(
            (
                f"{rung.rung}",
                f"{rung.resource:g}",
                entered_text(rung),
                "-" if rung.is_last else f"{rung.paused}",
                f"{rung.passed}",
                "-" if rung.keep is None else f"{rung.keep}",
                _cutoff(rung),
                _bar(rung, most),
            )
        )
    return table(rows, left=[0, 7]).splitlines()


def _bar(rung: RungStanding, most: int) -> str:
    """What became of those that entered, in a bar of which the largest rung takes the whole."""
    stopped = rung.entries - rung.passed - rung.paused
    to_come = max((rung.expected or 0) - rung.entries, 0)
    bar, done = "", 0
    for count, block in zip((rung.passed, rung.paused, stopped, to_come), "█▒░·", strict=True):
        done += count
        bar = bar.ljust(round(_BAR_COLUMNS * done / max(most, 1)), block)
    return bar


def _cutoff(rung: RungStanding) -> str:
    return "-" if rung.cutoff is None else f"{rung.cutoff:g}"


def _running(result: Result) -> list[str]:
    running = [trial for trial in result.trials if trial.state is TrialState.RUNNING]
    return _with_ends("running", running, [params_text(trial) for trial in running])


def _curves(result: Result) -> list[str]:
    """The curves of the best trials."""
    leading = ranked_trials(result.trials, result.mode)[:_MOST_CURVES]
    curves = [sparkline([metric for _, metric in t.curve]) for t in leading]
    return _with_ends("leading", leading, curves)


def _with_ends(head: str, trials: Sequence[TrialRecord], ends: Sequence[str]) -> list[str]:
    """A line per trial with its last report, and one of ``ends`` at the end of each."""
    rows = [(head, "resource", "metric")]
    for trial in trials:
        metric = "-" if trial.metric is None else f"{trial.metric:g}"
        rows.append((f"trial {trial.id}", f"{trial.resource:g}", metric))
    first, *others = table(rows).splitlines()
    lines = [f"{line}  {end}" for line, end in zip(others, ends, strict=True)]
    return _fit([first, *lines], _MOST_TRIALS + 1)


def _fit(lines: list[str], room: int) -> list[str]:
    """At most ``room`` lines; if some are left out, the last one says how many."""
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], f"... and {len(lines) - room + 1} more"]
