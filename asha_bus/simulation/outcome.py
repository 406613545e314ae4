"""What a simulated run gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from asha_bus.core.checks import shortened
from asha_bus.core.space import Space
from asha_bus.core.status import status
from asha_bus.results.records import BusReport, TrialRecord
from asha_bus.results.result import Result
from asha_bus.results.tables import table
from asha_bus.simulation.fleet import Fleet


class Simulated:
    """The outcome of `simulate`. Times are virtual seconds from the start of the run.

    Args:
        fleet: The run, which has ended; `simulate` gives it.
        space: Its space.

    Attributes:
        elapsed_s: How long the run took.
        busy_share: The share of the workers' time that they worked on trials, from each
            worker's first trial until the last trial was assigned.
        decisions: The reports that were rung decisions.
        resource: The resource of all attempts.
        retrained_resource: How much of it trials got that had to be trained again.
        router_share: The share of its time for which the router worked.
        router_wait_s: The longest time for which a message waited for the router.
        promotion_wait_s: For paused trials that were to continue, how long they waited for
            their worker: the median and the longest time.
        times: When the best metric of all reports at rungs and ends became better.
        metrics: What it was then.
        result: The `Result`, as a real run gives it.

    Example:
        >>> run = ab.simulate(
        ...     lambda params, resource: params["x"] + 1 / resource, {"x": ab.uniform(0, 1)},
        ...     scheduler=ab.ASHA(9), workers=100, max_trials=500, seed=1,
        ... )
        >>> run.result.reason, round(run.busy_share, 2)
        ('max_trials', 1.0)
    """

    def __init__(self, fleet: Fleet, space: Space) -> None:
        self._fleet, self._space = fleet, space
        experiment = fleet.experiment
        self._status = status(experiment, fleet.clock.now)
        self.elapsed_s = fleet.clock.now
        self.busy_share = self._status.busy.share
        self.decisions = experiment.counters.decisions
        self.resource = experiment.table.spent
        self.retrained_resource = experiment.counters.retrained
        self.router_share = fleet.served_s / self.elapsed_s if self.elapsed_s else 0.0
        self.router_wait_s = fleet.longest_queued_s
        pausing = self._status.pausing
        self.promotion_wait_s = (pausing.wait_p50_s or 0.0, pausing.wait_max_s or 0.0)
        self.times: Sequence[float] = tuple(at for at, _ in fleet.best)
        self.metrics: Sequence[float] = tuple(metric for _, metric in fleet.best)

    @cached_property
    def result(self) -> Result:
        """The `Result`: it holds a record of each trial, and is made when it is first read."""
        fleet, settings = self._fleet, self._fleet.settings
        ended = fleet.ended
        assert ended is not None
        return Result(
            name=settings.run,
            mode=settings.mode,
            seed=settings.seed,
            space=self._space,
            trials=[
                TrialRecord.from_row(trial.to_row(), self._space)
                for trial in fleet.experiment.table.trials
            ],
            reason=ended.reason,
            message=ended.message,
            elapsed_s=self.elapsed_s,
            bus=BusReport.from_status(replace(self._status, latency={})),
            settings=settings,
        )

    def time_to(self, metric: float) -> float | None:
        """Return when a report was first as good as ``metric``.

        Args:
            metric: The metric.

        Returns:
            Seconds from the start of the run; None: none was.

        Example:
            >>> run = ab.simulate([[0.5, 0.25], [0.75, 0.5]], workers=2)
            >>> run.time_to(0.1) is None
            True
        """
        is_min = self._fleet.settings.mode == "min"
        for at, reached in zip(self.times, self.metrics, strict=True):
            if reached <= metric if is_min else reached >= metric:
                return at
        return None

    def __repr__(self) -> str:
        settings, states = self._fleet.settings, self._status.states
        middle, longest = self.promotion_wait_s
        ended = self._fleet.ended
        rows = [
            ("ended by", ended.reason if ended else ""),
            ("trials", f"{self._status.trials:,}"),
            *((f"  {state}", f"{count:,}") for state, count in states.items() if count),
            ("decisions", f"{self.decisions:,}"),
            ("resource", f"{self.resource:,.6g}"),
            ("virtual time", _seconds(self.elapsed_s)),
            ("busy share of the workers", f"{self.busy_share:.2%}"),
            ("busy share of the router", f"{self.router_share:.2%}"),
            ("longest wait for the router", f"{self.router_wait_s:.3g} s"),
        ]
        if settings.scheduler.pauses:
            rows += [
                ("promotions waited, median", f"{middle:,.3g} s"),
                ("promotions waited, at most", f"{longest:,.3g} s"),
                ("resource trained again", f"{self.retrained_resource:,.6g}"),
            ]
        leader = self._fleet.experiment.table.leader
        if leader is not None and leader.metric is not None:
            rows.append(("best trial", f"{leader.id}: {leader.metric:g} at {leader.resource:g}"))
        return f"{shortened(settings.scheduler)}\n{table(rows)}"


def _seconds(seconds: float) -> str:
    """With a digit after the point; a short time with three digits."""
    return f"{seconds:,.1f} s" if seconds >= 10 else f"{seconds:.3g} s"
