"""How the rungs of a run stand, for all that shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from asha_bus.core.trial import RungRecord, RungStanding

if TYPE_CHECKING:
    from asha_bus.results.result import Result


def pauses(result: Result) -> bool:
    """Whether trials of ``result`` pause, so that there is more to show of its rungs."""
    return bool(result.rungs) and result.scheduler is not None and result.scheduler.pauses


def standings(result: Result) -> list[RungStanding]:
    """The rungs of each bracket or plan, in order; without pauses those that a trial entered."""
    if pauses(result):
        return list(result.rungs)
    last: dict[tuple[int, int], RungRecord] = {}
    passed: Counter[tuple[int, int]] = Counter()
    for trial in result.trials:
        for record in trial.rungs:
            key = trial.bracket, record.rung
            passed[key] += record.verdict == "continue"
            if key not in last or record.n > last[key].n:
                last[key] = record
    return [
        RungStanding(*key, record.resource, record.n, passed[key], record.cutoff)
        for key, record in sorted(last.items())
    ]


def has_plans(rungs: list[RungStanding]) -> bool:
    """Whether there is more than one bracket or plan."""
    return len({rung.bracket for rung in rungs}) > 1


def entered_text(rung: RungStanding) -> str:
    """How many have entered a rung, of how many, such as ``5 of 8``."""
    return (
        f"{rung.entries:,}" if rung.expected is None else f"{rung.entries:,} of {rung.expected:,}"
    )


def described(rung: RungStanding) -> str:
    """The numbers of a rung in words, such as ``5 of 8 entered, 3 paused, 1 went on``."""
    paused = "" if rung.is_last else f", {rung.paused:,} paused"
    passed = f"{rung.passed:,} kept" if rung.is_last else f"{rung.passed:,} went on"
    return f"{entered_text(rung)} entered{paused}, {passed}"


def lines_of(result: Result) -> list[str]:
    """A line for each rung."""
    if not pauses(result):
        return [
            f"rung {number} at {resource:g}: {entries} entered, {passed} went on"
            for number, resource, entries, passed in result.rung_table()
        ]
    rungs = standings(result)
    return [f"{name_of(rung, plans=has_plans(rungs))}: {described(rung)}" for rung in rungs]


def name_of(rung: RungStanding, *, plans: bool) -> str:
    """What a rung is called, such as ``plan 1, rung 0 at 3``."""
    plan = f"plan {rung.bracket}, " if plans else ""
    return f"{plan}rung {rung.rung} at {rung.resource:g}"
