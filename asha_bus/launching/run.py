"""A run as its user sees it."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, TypedDict
from weakref import WeakSet

from asha_bus.core.tracebacks import raises_short
from asha_bus.core.trial import FINAL
from asha_bus.launching.follower import Follower
from asha_bus.results.records import BusReport
from asha_bus.results.result import Result

#: Names that a `Run` has no longer, and the ones to use.
_RENAMED = {"address": "bus_address"}

#: What follows each run; the thread of one that is going on keeps it alive.
_followers: WeakSet[Follower] = WeakSet()


class RunStatus(TypedDict):
    """What `Run.status` returns."""

    trials: int
    max_trials: int | None
    states: dict[str, int]
    workers: int
    awaited: int
    reports: int
    best_metric: float | None
    elapsed_s: float
    reason: str | None


class Run:
    """A launched run: wait for its result, read its status, or end it. `start` returns one.

    Attributes:
        name: The run's name, as in the log and on the live page.
        seed: The seed, given or drawn.
        bus_address: Where the bus listens, as ``tcp://host:port``.
        metrics_url: Where Prometheus finds the run's metrics; None without ``metrics_port``.
        page_url: Where the live page is; None without ``page``.

    Example:
        >>> run = ab.start(objective, space, max_trials=100)
        >>> run.status()["trials"]
        12
        >>> result = run.result()
    """

    def __init__(
        self, follower: Follower, bus_address: str, *, metrics_url: str | None, page_url: str | None
    ) -> None:
        self.name = follower.plan.name
        self.seed = follower.plan.settings.seed
        self.bus_address = bus_address
        self.metrics_url = metrics_url
        self.page_url = page_url
        self._follower = follower
        self._supervisor = follower.supervisor
        _followers.add(follower)

    def __repr__(self) -> str:
        status, reason = self.status(), self._follower.reason
        ended = sum(status["states"][state.value] for state in FINAL)
        most = "" if status["max_trials"] is None else f" of {status['max_trials']}"
        how = "running" if reason is None else f"ended by {reason}"
        best = "" if status["best_metric"] is None else f", best {status['best_metric']:.6g}"
        return f"<Run {self.name}: {ended}{most} trials, {how}{best}>"

    @property
    def bus_pid(self) -> int:
        """The process id of the bus; another one after a restart."""
        return self._supervisor.pid

    @property
    def done(self) -> bool:
        """Whether the run is over, so that `result` returns or raises at once."""
        return self._follower.reason is not None

    @raises_short
    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end of the run and return its result.

        Args:
            timeout: The most seconds to wait; None waits as long as it takes.

        Returns:
            The result, the same one at each call.

        Raises:
            TimeoutError: The run is still running.
            AllTrialsFailed: No trial succeeded; the error carries the result.
            BusError: The bus ended again and again, or could not be reached.
            WorkerError: No worker could be started or kept.
            SearcherError: The searcher failed before the first trial.

        Example:
            >>> result = run.result(timeout=3600)
        """
        return self._follower.result(timeout)

    def status(self) -> RunStatus:
        """Return the state of the run: now, or at its end if it is over.

        It can be called at any time and from any thread, and changes nothing. The bus
        answers within milliseconds; during a restart it waits for the new bus.

        Returns:
            A dict with

            * ``trials``, ``states``: the number of trials begun, and of those in each state;
            * ``max_trials``: the most trials there will be; None if there is no limit;
            * ``workers``: the workers that are there;
            * ``awaited``: the workers that are still to come: they start, or wait for a task slot
              of Spark;
            * ``reports``: the reports taken at rungs and at ``max_resource``;
            * ``best_metric``: the last metric of the leading trial: of a completed one, or
              else of one that entered the highest rung. None before the first usable metric;
            * ``elapsed_s``: the seconds since the start;
            * ``reason``: why the run ended, as `Result.reason`; None while it is running.

        Example:
            >>> run.status()["states"]["RUNNING"]
            4
        """
        status = self._follower.status()
        return {
            "trials": status.trials,
            "max_trials": self._follower.plan.settings.max_trials,
            "states": {state.value: count for state, count in status.states.items()},
            "workers": status.workers,
            "awaited": self._follower.awaited(status),
            "reports": status.counters.reports,
            "best_metric": None if status.leader is None else status.leader.metric,
            "elapsed_s": status.elapsed_s,
            "reason": self._follower.reason,
        }

    @raises_short
    def snapshot(self) -> Result:
        """Return the result so far, without ending the run.

        It fetches every trial from the bus, with logs and curves. `status` is the cheaper
        question for a program that asks often.

        Returns:
            The result so far, with reason ``unfinished``; after the end that of `result`.

        Raises:
            AllTrialsFailed: The run is over and no trial succeeded; see `result`, whose other
                errors are raised here in the same way.
            BusError: The bus cannot be reached.

        Example:
            >>> best = run.snapshot().best
        """
        return self._follower.snapshot()

    def bus_report(self) -> BusReport:
        """Return figures of the bus and the workers; like `status`, at any time.

        Returns:
            The report so far, which is ``Result.bus`` at the end.

        Example:
            >>> run.bus_report().decisions
            127
        """
        return BusReport.from_status(self._follower.status())

    def stop(self, *, now: bool = False) -> None:
        """End the run, and return at once; `result` returns what there is.

        Args:
            now: True kills the workers; `result` returns within about 5 s, whatever hangs. If
                the bus does not answer, the result has what its journal has, or else what was
                seen last, and its message says that it is partial. With False (default)
                trials stop at their next report, or are interrupted where that takes long.

        Example:
            >>> run.stop()
            >>> run.result().reason
            'stopped'
        """
        self._follower.stop(now=now)

    if not TYPE_CHECKING:  # which knows the attributes there are

        def __getattr__(self, name):
            hint = f"; use Run.{_RENAMED[name]}" if name in _RENAMED else ""
            raise AttributeError(f"a Run has no attribute {name!r}{hint}")


@atexit.register
def _warn_at_exit() -> None:
    text = "%s was still running when the program ended; call run.result() to wait for it"
    for follower in _followers:
        if follower.reason is None:
            follower.logger.warning(text, follower.plan.name)


def wait_for(run: Run, *, tells_how_to_resume: bool = True) -> Result:
    """The result; Ctrl-C stops the run first, and a second Ctrl-C does so at once.

    ``tells_how_to_resume``: False if the run's journal is not the user's.
    """
    try:
        return run.result()
    except KeyboardInterrupt:
        run.stop()
        follower = run._follower
        if tells_how_to_resume and follower.plan.journal is not None:
            follower.logger.warning(
                "stopped; pass launch(..., journal=%r, resume=True) to continue",
                str(follower.plan.journal),
            )
    try:
        return run.result()
    except KeyboardInterrupt:
        run.stop(now=True)
    return run.result()


def stop_because(run: Run, why: str) -> None:
    """As `Run.stop`; ``Result.message`` says ``why``."""
    run._follower.stop(now=False, why=why)


def search_failure_of(run: Run) -> str | None:
    """Why the searcher could not continue; None if it could."""
    return run._supervisor.search_failure
