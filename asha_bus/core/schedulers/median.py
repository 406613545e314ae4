"""Median stopping: a trial that is worse than the median of the others is stopped."""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass
from random import Random

from asha_bus.core.checks import check, checked, whole
from asha_bus.core.schedulers.base import (
    MAX_RESOURCE,
    RESOURCE,
    Decision,
    Scheduler,
    SchedulerState,
    reached,
)
from asha_bus.core.trial import RungRecord, RungStanding, Trial


@checked({"min_resource": "grace"})
@dataclass(frozen=True)
class MedianStopping(Scheduler):
    """Stop a trial whose best metric is worse than the median of the others' means so far.

    A trial is looked at every ``interval`` of resource, from ``grace`` on: its best metric
    until then is compared with the median of the running means of all trials that came as
    far. So it costs a request at each of these reports, and it needs no plan. The rule is
    that of Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017,
    section 3.2.2, with the metrics that were compared in place of all that were reported.

    Args:
        max_resource: A trial that reaches this resource is completed, in the unit of the
            objective's reports. None: there is no limit, and a trial ends with its objective.
        grace: The least resource of a trial that is stopped (default 1).
        min_samples: How many trials must have come as far before one is stopped (default 5).
        interval: The resource from one comparison to the next (default 1).

    Raises:
        InvalidArgument: An argument is out of range; the message names it.

    Example:
        >>> MedianStopping(max_resource=27, grace=3).full_resource
        27
    """

    max_resource: float | None
    grace: float = 1
    min_samples: int = 5
    interval: float = 1

    def __post_init__(self) -> None:
        if self.max_resource is not None:
            check("MedianStopping: max_resource", self.max_resource, RESOURCE)
        check("MedianStopping: grace", self.grace, RESOURCE)
        check("MedianStopping: min_samples", self.min_samples, whole(1))
        check("MedianStopping: interval", self.interval, RESOURCE)

    @property
    def full_resource(self) -> float | None:
        return self.max_resource

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run; the run itself calls this.

        Args:
            mode: ``min`` or ``max``.
            seed: The seed of the run, which changes nothing.

        Returns:
            The state, which belongs to that run alone.

        Example:
            >>> state = MedianStopping(max_resource=9).new_state(mode="min", seed=1)
            >>> len(state.rungs())
            0
        """
        return _MedianState(self, mode)


def _middle(ordered: list[float]) -> float:
    """The median of numbers in order; infinite where there are none."""
    if not ordered:
        return math.inf
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else ordered[half - 1] / 2 + ordered[half] / 2


class _MedianState(SchedulerState):
    def __init__(self, settings: MedianStopping, mode: str) -> None:
        self._settings = settings
        self._most = MAX_RESOURCE if settings.max_resource is None else settings.max_resource
        self._sign = 1.0 if mode == "min" else -1.0
        #: For each comparison the running means of the trials that came so far, sorted.
        self._means: list[list[float]] = []
        self._passed: list[int] = []

    def assign(self, trial: Trial, random: Random) -> None:
        """Do nothing: there are no brackets."""

    def _level(self, number: int) -> float:
        return self._settings.grace + number * self._settings.interval

    def next_resource(self, trial: Trial) -> float | None:
        return min(self._level(len(trial.rungs)), self._most)

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        most = self._most
        if reached(resource, most):
            return Decision("complete", (), None)
        number = len(trial.rungs)
        if not reached(resource, self._level(number)):
            return Decision("continue", (), min(self._level(number), most))
        record = self._compare(trial, number, metric)
        if record.verdict == "stop":
            return Decision("stop", (record,), None)
        return Decision("continue", (record,), min(self._level(number + 1), most))

    def _compare(self, trial: Trial, number: int, metric: float) -> RungRecord:
        if number == len(self._means):
            self._means.append([])
            self._passed.append(0)
        means = self._means[number]
        others = len(means)
        middle = _middle(means)
        seen = [one.metric * self._sign for one in trial.rungs] + [metric * self._sign]
        finite = [one for one in seen if math.isfinite(one)]
        is_bad = not math.isfinite(metric)
        goes_on = not is_bad and (others < self._settings.min_samples or min(finite) <= middle)
        insort(means, math.inf if is_bad else sum(one / len(finite) for one in finite))
        self._passed[number] += goes_on
        cutoff = middle * self._sign if math.isfinite(middle) else None
        verdict = "continue" if goes_on else "stop"
        keep = max((others + 1) // 2, 1)
        return RungRecord(number, self._level(number), metric, others + 1, keep, cutoff, verdict)

    def rungs(self) -> list[RungStanding]:
        sign = self._sign
        return [
            RungStanding(
                0,
                number,
                self._level(number),
                len(means),
                self._passed[number],
                middle * sign if math.isfinite(middle := _middle(means)) else None,
            )
            for number, means in enumerate(self._means)
        ]

    def validate(self) -> None:
        for means, passed in zip(self._means, self._passed, strict=True):
            assert means == sorted(means)
            assert 0 <= passed <= len(means)
