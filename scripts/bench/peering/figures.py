"""From the records of a run to its figures, and from several runs to medians."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from bench.peering.recording import Recorded


class Figures(NamedTuple):
    """What one run measured, or the median of several; None: it cannot be measured there."""

    peer: str
    workers: int
    step_ms: float
    trials: float = 0
    #: In the time from the first trial's begin to the last report.
    reports_per_s: float | None = None
    report_p50_ms: float | None = None
    report_p99_ms: float | None = None
    #: From the end of a trial to the begin of the next one in the same worker.
    turnaround_p50_ms: float | None = None
    turnaround_p99_ms: float | None = None
    #: From the call to the begin of the first trial.
    startup_s: float | None = None
    #: Of all processes together; pages that they share count once.
    peak_mb: float | None = None
    #: The share of the workers' time that went into steps.
    busy: float | None = None
    #: How many runs these are the medians of.
    runs: int = 1
    #: Why there are no figures.
    error: str = ""


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest of ``values`` that at least ``share`` of them do not exceed."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def turnarounds(trials: Sequence[Recorded], *, is_process: bool) -> list[float]:
    """The seconds from each trial's end to the next begin in its worker.

    ``is_process``: each trial is its own process. A begin then takes the slot that is free for
    the longest time.
    """
    if is_process:
        begins, ends = [one.begin for one in trials], sorted(one.end for one in trials)
        found, at = [], 0
        for begin in begins:
            if at < len(ends) and ends[at] <= begin:
                found.append(begin - ends[at])
                at += 1
        return found
    by_worker = defaultdict[str, list[Recorded]](list)
    for one in trials:
        by_worker[one.worker].append(one)
    return [later.begin - one.end for mine in by_worker.values() for one, later in pairwise(mine)]


def figures_of(
    about: Figures,
    call: float | None,
    trials: Sequence[Recorded],
    *,
    waits: bool,
    is_process: bool,
    steps: int,
) -> Figures:
    """The figures of one run; ``steps``: those of a trial that makes no reports."""
    if not trials:
        return about._replace(error=about.error or "no trial began")
    reports = [report for one in trials for report in one.reports]
    span = max(one.end for one in trials) - trials[0].begin
    took = [seconds * 1e3 for _, seconds in reports] if waits else []
    turned = [seconds * 1e3 for seconds in turnarounds(trials, is_process=is_process)]
    done = len(reports) or steps * len(trials)
    return about._replace(
        trials=len(trials),
        reports_per_s=len(reports) / span if reports and span else None,
        report_p50_ms=percentile(took, 0.5),
        report_p99_ms=percentile(took, 0.99),
        turnaround_p50_ms=percentile(turned, 0.5),
        turnaround_p99_ms=percentile(turned, 0.99),
        startup_s=None if call is None else trials[0].begin - call,
        busy=done * about.step_ms / 1e3 / span / about.workers if about.step_ms and span else None,
    )


def medians(runs: Iterable[Figures]) -> list[Figures]:
    """The median of each figure over the runs of the same kind, in the order of the first ones."""
    kinds = defaultdict[tuple[str, int, float], list[Figures]](list)
    for run in runs:
        kinds[run.peer, run.workers, run.step_ms].append(run)
    return [_median(kind) for kind in kinds.values()]


def _median(runs: Sequence[Figures]) -> Figures:
    good = [run for run in runs if not run.error]
    if not good:
        return runs[0]
    middle: dict[str, Any] = {"runs": len(good)}
    for name in Figures._fields[3:-2]:
        values = [value for run in good if (value := getattr(run, name)) is not None]
        middle[name] = median(values) if values else None
    return good[0]._replace(**middle)
