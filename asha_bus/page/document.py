"""A run as compact, strict JSON for the page.

NaN and infinities are the strings ``NaN``, ``Infinity`` and ``-Infinity``. Parameters and extras
that are not plain data are shown by their repr.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from asha_bus._version import __version__
from asha_bus.core.checks import name_of, shortened
from asha_bus.core.failures import gist
from asha_bus.core.space import Func, Normal, Options, Space
from asha_bus.results.parameters import ABSENT, Column, as_number, column_values, columns, constants
from asha_bus.results.records import BusReport, TrialRecord
from asha_bus.results.rungs import has_plans, pauses, standings

if TYPE_CHECKING:
    from asha_bus.results.result import Result

#: The format number of the documents below; the page refuses any other.
FORMAT = 1

#: The fields of a trial's document, in this order.
TRIAL_FIELDS = (
    "id",
    "state",
    "params",
    "metric",
    "best_metric",
    "best_resource",
    "resource",
    "attempts",
    "worker",
    "start",
    "end",
    "pauses",
    "bracket",
    "rungs",
    "curve",
    "error",
    "extras",
)

#: The largest number of points between rungs, for one curve and for all curves of a run.
_CURVE_POINTS = 100
_ALL_POINTS = 20_000

#: Longer errors are cut in the middle; longer strings among parameters at their end.
_ERROR_CHARS = 2_000
_TEXT_CHARS = 200

#: Whole numbers beyond this are not exact in a browser.
_MOST_EXACT = 2**53

_PACKAGES = ("pyzmq", "msgpack", "pyspark", "scikit-learn")


def run_document(result: Result, found: Sequence[Column] | None = None) -> dict[str, Any]:
    """All that the page shows of ``result``, without what is computed on request.

    ``found``: the columns; None: all that its trials have.
    """
    trials = result.trials
    points = min(_CURVE_POINTS, max(_ALL_POINTS // max(len(trials), 1), 4))
    found = columns(result.space, trials) if found is None else found
    return {
        "format": FORMAT,
        "name": result.name,
        "mode": result.mode,
        "seed": str(result.seed),  # a browser's numbers may be too small for it
        "parameters": parameter_documents(found),
        "constants": {name: plain(value) for name, value in constants(result.space).items()},
        "configuration": _configuration(result),
        "versions": _versions(),
        "summary": summary_document(result),
        "fields": list(TRIAL_FIELDS),
        "trials": [trial_document(trial, result.space, points, found) for trial in trials],
    }


def trial_document(
    trial: TrialRecord,
    space: Space,
    points: int = _CURVE_POINTS,
    found: Sequence[Column] | None = None,
) -> list[Any]:
    """The `TRIAL_FIELDS` of a trial, with at most ``points`` points of its curve.

    ``found``: the columns of the document; None: those of the space.
    """
    found = columns(space) if found is None else found
    return [
        trial.id,
        str(trial.state),
        [
            None if value is ABSENT else "None" if value is None else _shown(column, value)
            for column, value in zip(found, column_values(space, trial, found=found), strict=True)
        ],
        number(trial.metric),
        number(trial.best_metric),
        number(trial.best_resource),
        number(trial.resource),
        trial.attempts,
        trial.worker,
        _time(trial.attempt_time),
        _time(trial.end_time),
        [[_time(begin), _time(end)] for begin, end in trial.pauses],
        trial.bracket,
        [
            [r.rung, r.resource, number(r.metric), r.n, r.keep, number(r.cutoff), r.verdict]
            for r in trial.rungs
        ],
        _between_rungs(trial, points),
        None if trial.error is None else _cut(trial.error),
        {name: plain(value) for name, value in trial.extras.items()},
    ]


def summary_document(
    result: Result, *, workers: int | None = None, now: float | None = None
) -> dict[str, Any]:
    """The part of a run's document that changes with any of its trials.

    ``workers``: the number of live ones; None: all that ever joined. ``now``: seconds since
    the epoch, the time up to which running trials are shown; None: the latest time at which
    a trial started or ended.
    """
    best = result.best
    times = [t for trial in result.trials for t in (trial.start_time, trial.end_time) if t]
    return {
        "reason": result.reason,
        "message": _cut(result.message),
        "elapsed_s": number(round(result.elapsed_s, 3)),
        "start": _time(min(times, default=None)),
        "now": _time(max(times, default=None) if now is None else now),
        "trials": len(result.trials),
        "states": {str(state): count for state, count in result.counts.items()},
        "best": None if best is None else best.id,
        "best_reason": result.best_reason,
        "first_error": _first_error(result),
        "warnings": [_cut(text) for text in result.warnings],
        "workers": result.bus.workers if workers is None else workers,
        "rungs": _rungs(result),
        "bus": _bus(result.bus),
    }


def _first_error(result: Result) -> dict[str, Any] | None:
    """The first trial that failed or was lost, what its error comes down to, and the count."""
    failures = result.failures
    if not failures:
        return None
    first = failures[0]
    return {"count": len(failures), "trial": first.id, "error": gist(first.error)}


def _bus(bus: BusReport) -> dict[str, Any]:
    figures = {name: value for name, value in asdict(bus).items() if name != "residents"}
    return {name: number(value) for name, value in figures.items()}


def _rungs(result: Result) -> list[list[Any]]:
    """For each rung: number, resource, entries, continued, and latest cutoff by bracket.

    Where trials pause, the rungs of each plan, and for each how many are paused, how many
    will have entered in the end (None: any number), its plan (None: there is one), and
    whether it is the last rung of the plan.
    """
    if pauses(result):
        rungs = standings(result)
        plans = has_plans(rungs)
        return [
            [
                *(rung.rung, rung.resource, rung.entries, rung.passed),
                [[rung.bracket, number(rung.cutoff)]],
                *(rung.paused, rung.expected, rung.bracket if plans else None, rung.is_last),
            ]
            for rung in rungs
        ]
    latest: dict[tuple[int, float], dict[int, tuple[int, float | None]]] = {}
    for trial in result.trials:
        for record in trial.rungs:
            cutoffs = latest.setdefault((record.rung, record.resource), {})
            if record.n > cutoffs.get(trial.bracket, (0, None))[0]:
                cutoffs[trial.bracket] = record.n, record.cutoff
    return [
        [
            *(rung, resource, entered, went_on),
            [
                [bracket, number(cutoff)]
                for bracket, (_, cutoff) in sorted(latest[rung, resource].items())
            ],
        ]
        for rung, resource, entered, went_on in result.rung_table()
    ]


def _between_rungs(trial: TrialRecord, points: int) -> list[Any] | None:
    """Alternating resources and metrics of the reports that are neither at a rung nor the last."""
    known = {record.resource for record in trial.rungs} | {trial.resource}
    between = [(resource, metric) for resource, metric in trial.curve if resource not in known]
    if not between:
        return None
    step = -(-len(between) // points)
    return [
        value
        for resource, metric in between[::step]
        for value in (resource, number(float(f"{metric:.6g}")))
    ]


def _shown(column: Column, value: Any) -> Any:
    """``value`` as the page shows it: exactly if another option of its column looks alike."""
    return shortened(value) if column.is_ambiguous and value is not None else plain(value)


def parameter_documents(found: Sequence[Column]) -> list[dict[str, Any]]:
    """What the page knows of each column."""
    return list(map(_parameter, found))


def _parameter(column: Column) -> dict[str, Any]:
    """A parameter's name, its kind, and its options or range."""
    found: dict[str, Any] = {"name": column.name}
    leaf = column.leaf
    if leaf is None:  # a union, whose members differ here
        return {
            **found,
            "kind": "one of",
            "options": [_shown(column, node) for node in column.nodes],
        }
    found["kind"] = leaf.kind
    if isinstance(leaf, Options):
        return {**found, "options": [_shown(column, option) for option in leaf.options]}
    if isinstance(leaf, Func):
        return {**found, "options": [name_of(leaf.function), *map(plain, leaf.args)]}
    names = ("mu", "sigma") if isinstance(leaf, Normal) else ("low", "high")
    return {**found, "range": [plain(getattr(leaf, name)) for name in names]}


def _configuration(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": result.mode, "seed": str(result.seed)}
    settings = result.settings
    if settings is not None:
        found["scheduler"] = shortened(settings.scheduler, 1_000)
        if settings.searcher:
            found["searcher"] = settings.searcher
        for name in (
            *("max_trials", "max_time_s", "max_total_resource", "stop_at"),
            *("trial_timeout_s", "max_failures", "fail_fast", "max_attempts", "lease_s"),
        ):
            found[name] = plain(getattr(settings, name))
    return found


def _versions() -> dict[str, str]:
    """The versions of packages here; workers may have others."""
    found = {"asha-bus": __version__, "Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def plain(value: Any, depth: int = 4) -> Any:
    """``value`` as strict JSON, or its repr if that is impossible; long values are cut."""
    if value is None or isinstance(value, bool):
        return value
    found = as_number(value)
    if found is not None:
        is_exact = isinstance(found, float) or abs(found) <= _MOST_EXACT
        return number(found) if is_exact else shortened(value)
    if type(value) is str:
        return value if len(value) <= _TEXT_CHARS else value[:_TEXT_CHARS] + "..."
    if depth > 0 and type(value) in (list, tuple, dict) and len(value) <= _TEXT_CHARS:
        if type(value) is not dict:
            return [plain(part, depth - 1) for part in value]
        if all(type(key) is str for key in value):
            return {key: plain(part, depth - 1) for key, part in value.items()}
    return shortened(value)


def number(value: float | None) -> float | str | None:
    """``value``, or a string for NaN and infinities, which JSON lacks."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _time(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _cut(text: str) -> str:
    if len(text) <= _ERROR_CHARS:
        return text
    half = _ERROR_CHARS // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"
