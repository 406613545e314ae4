"""What a scenario came to, and how it is checked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import asha_bus as ab
from asha_bus.core.trial import FINAL
from faults.scenarios import answers
from faults.scenarios.answers import Answer

HEAD = (
    *("scenario", "engine", "faults", "trials", "lost", "doubled"),
    *("rungs identical", "recovery p50, s", "max, s", "took, s", "promise", "figures, s"),
)


@dataclass
class Outcome:
    """One line of the table."""

    scenario: str
    engine: str
    faults: int = 0
    trials: int | None = None
    lost: int | None = None
    doubled: int | None = None
    identical: bool | None = None
    #: Seconds from each fault until the run went on.
    recoveries: list[float] = field(default_factory=list)
    #: Other seconds that were measured, by what they are.
    figures: dict[str, float] = field(default_factory=dict)
    taken_s: float = 0.0
    #: The promises that were broken, in words.
    broken: list[str] = field(default_factory=list)
    #: What is worth knowing besides.
    notes: list[str] = field(default_factory=list)

    def expect(self, kept: bool, otherwise: str) -> None:
        """Say ``otherwise`` in the table where a promise was not ``kept``."""
        if not kept:
            self.broken.append(otherwise)

    def recovered_within(self, limit_s: float) -> None:
        """Every recovery took less than ``limit_s``."""
        worst = max(self.recoveries, default=0.0)
        self.expect(worst < limit_s, f"a recovery took {worst:.2f} s, not under {limit_s:g} s")

    def row(self) -> tuple[str, ...]:
        """The cells under `HEAD`."""
        times = ("-", "-")
        if self.recoveries:
            times = (f"{median(self.recoveries):.2f}", f"{max(self.recoveries):.2f}")
        identical = "-" if self.identical is None else "yes" if self.identical else "NO"
        counts = (self.trials, self.lost, self.doubled)
        return (
            *(self.scenario, self.engine, f"{self.faults}"),
            *("-" if count is None else f"{count:,}" for count in counts),
            *(identical, *times, f"{self.taken_s:.0f}", "BROKEN" if self.broken else "kept"),
            ", ".join(f"{what} {seconds:.1f}" for what, seconds in self.figures.items()),
        )


def check(outcome: Outcome, result: ab.Result, folder: Path, journal: Path) -> list[Answer]:
    """Look whether ``result`` has all that workers were answered, once; those answers."""
    answered = answers.read(folder)
    outcome.lost = _lost(result, answered)
    outcome.doubled = _doubled(result, answered)
    outcome.expect(not outcome.lost, f"{outcome.lost} answered reports are in no rung")
    outcome.expect(not outcome.doubled, f"{outcome.doubled} reports were counted twice")
    check_journal(outcome, result, journal)
    return answered


def check_journal(outcome: Outcome, result: ab.Result, journal: Path) -> None:
    """Look whether the journal handled again gives ``result``, whose trials all ended."""
    outcome.trials = (outcome.trials or 0) + len(result.trials)
    again = ab.Result.from_journal(journal, result.space)
    identical = _rungs(again) == _rungs(result)
    outcome.identical = identical and outcome.identical is not False
    outcome.expect(identical, "the journal handled again gives other rungs")
    outcome.expect(
        again.trials == tuple(replace(trial, log="") for trial in result.trials),
        "the journal handled again gives other trials",
    )
    running = [trial.id for trial in result.trials if trial.state not in FINAL]
    outcome.expect(not running, f"trials {running} never ended")


def _lost(result: ab.Result, answered: Sequence[Answer]) -> int:
    """Rung reports that were answered and did not count.

    A stop that a trial's earlier attempt was told may be that it no longer counts.
    """
    lost = 0
    for trial, attempt, step, goes_on in {answer[1:5] for answer in answered}:
        record = result.trials[trial]
        is_fenced = not goes_on and attempt < record.attempts
        if step in answers.RUNGS and not is_fenced:
            lost += step not in [entry.resource for entry in record.rungs]
    return lost


def _doubled(result: ab.Result, answered: Sequence[Answer]) -> int:
    """Reports and entries that are there more often than once, and gaps in a rung's count."""
    reports = Counter((answer.trial, answer.attempt, answer.step) for answer in answered)
    entries = Counter((trial.id, entry.rung) for trial in result.trials for entry in trial.rungs)
    doubled = sum(count - 1 for counted in (reports, entries) for count in counted.values())
    for numbers in _rungs(result).values():
        doubled += sum(n != place for place, (n, *_) in enumerate(numbers, 1))
    return doubled


def _rungs(result: ab.Result) -> dict[tuple[int, int], list[tuple[object, ...]]]:
    """Each rung's entries, in the order in which they were entered, to the last bit."""
    rungs: dict[tuple[int, int], list[tuple[object, ...]]] = {}
    for trial in result.trials:
        for entry in trial.rungs:
            cutoff = math.inf if entry.cutoff is None else entry.cutoff
            told = (entry.n, trial.id, entry.metric.hex(), entry.keep, cutoff, entry.verdict)
            rungs.setdefault((trial.bracket, entry.rung), []).append(told)
    for entered in rungs.values():
        entered.sort(key=lambda told: told[0])  # type: ignore[arg-type,return-value]
    return rungs
