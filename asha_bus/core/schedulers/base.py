"""What every scheduler is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from random import Random
from typing import Any, ClassVar, NamedTuple

from asha_bus.core.checks import Rule
from asha_bus.core.trial import RungRecord, RungStanding, Trial

#: Resources summed up from floats may miss a level by their last digits.
_TOLERANCE = 1e-12

#: Beyond this a float does not count by ones, and the wire has no larger whole numbers.
MAX_RESOURCE = 2**53
RESOURCE = Rule(
    "a number above 0 and at most 2**53", lambda value: 0 < value <= MAX_RESOURCE, (int, float)
)


def reached(resource: float, level: float) -> bool:
    """Whether ``resource`` is at ``level`` or beyond, but for the last digits of a float."""
    return resource >= level or level - resource <= _TOLERANCE * level


class Decision(NamedTuple):
    """The answer of a scheduler to a report.

    Args:
        verdict: ``continue``, ``pause``, ``stop`` or ``complete``.
        records: The rungs that the trial entered, in ascending order.
        next_resource: The resource of the next report that needs a decision; None: there is
            none, or the trial does not continue now.

    Example:
        >>> Decision("complete", (), None).verdict
        'complete'
    """

    verdict: str
    records: tuple[RungRecord, ...]
    next_resource: float | None


class Move(NamedTuple):
    """The verdict on a trial that has paused.

    Args:
        trial: The number of the trial.
        verdict: ``continue`` or ``stop``.
        n: The entries of its rung at that time.
        keep: How many of them may continue.
        cutoff: The worst metric among the ``keep`` best; None if it is not a finite number.
        mean: With repeats, the mean metric that was compared; None without repeats.
        reason: As in a `RungRecord`.

    Example:
        >>> Move(3, "stop", n=8, keep=5, cutoff=0.5).verdict
        'stop'
    """

    trial: int
    verdict: str
    n: int
    keep: int
    cutoff: float | None
    mean: float | None = None
    reason: str | None = None


class SchedulerState(ABC):
    """The state of a scheduler within one run. Pure: no clock, no I/O.

    The methods without a default are all that a scheduler needs that never pauses a trial.
    """

    @abstractmethod
    def assign(self, trial: Trial, random: Random) -> None:
        """Prepare a trial that is assigned for the first time: draw its bracket.

        Args:
            trial: The trial; set its ``bracket``.
            random: The only source of randomness, so that a journal can be replayed.
        """

    @abstractmethod
    def next_resource(self, trial: Trial) -> float | None:
        """Return the resource of the next report that needs a decision.

        Args:
            trial: The trial; ``rungs`` has the rungs it entered, also in earlier attempts.

        Returns:
            The resource; None if the trial needs no decision any more.
        """

    @abstractmethod
    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        """Decide on a report.

        Args:
            trial: The trial that reported.
            resource: The resource of the report, at least what `next_resource` returned.
            metric: The metric as reported, also where ``mode`` is ``max``; it may be NaN or
                infinite.

        Returns:
            The decision.
        """

    # --- for a scheduler that pauses trials ---------------------------------

    def take_moves(self) -> Sequence[Move]:
        """Return the verdicts on paused trials since the last call.

        The run calls this after each call of another method. A trial that continues is
        resumed by the worker that holds it, or is trained from the start by any worker if
        that one is gone.

        Returns:
            The verdicts, each once. Default: none.
        """
        return ()

    def may_begin(self) -> bool:
        """Return whether a new trial may begin now.

        Returns:
            Whether it may. Default: True. While it may not, workers wait; so it must become
            True by what running or paused trials do.
        """
        return True

    def expect(self, trials: int | None, repeats: int) -> None:  # noqa: B027 - optional
        """Learn how many trials there will be: at the start, and when that changes.

        Args:
            trials: The number of trials; None: it is not known. It shrinks when the space
                or the searcher has no more configurations.
            repeats: The number of trials of each configuration, which have consecutive
                numbers.
        """

    def leave(self, trial: Trial) -> None:  # noqa: B027 - optional
        """Learn that a trial will not report again: it failed, was lost, or ended by itself.

        Args:
            trial: The trial. It may also have been decided before.
        """

    def rejoin(self, trial: Trial) -> None:  # noqa: B027 - optional
        """Learn that a trial that had left will run again, in a resumed run.

        Args:
            trial: The trial.
        """

    def stragglers(self, begun: int) -> Sequence[tuple[int, int]]:
        """Return the rungs for which ``rung_timeout`` counts now.

        Args:
            begun: How many trials have begun; they have the numbers below this.

        Returns:
            Pairs of bracket and rung: all their trials have begun, at least one has entered,
            and others have not. Default: none.
        """
        return ()

    def time_out(self, bracket: int, rung: int) -> Sequence[int]:
        """Wait no longer for the trials that have not entered a rung.

        Args:
            bracket: The number of the bracket.
            rung: The number of the rung.

        Returns:
            The numbers of these trials, which are stopped at their next report.
        """
        return ()

    def close(self) -> None:  # noqa: B027 - optional
        """Decide on all paused trials: no other trial runs or will begin."""

    # --- for people ----------------------------------------------------------

    def rungs(self) -> list[RungStanding]:
        """Return the current state of each rung.

        Returns:
            The rungs by bracket, in ascending order. Default: empty, for no rungs.
        """
        return []

    def validate(self) -> None:  # noqa: B027 - a rule without state has nothing to check
        """Check the invariants.

        Raises:
            AssertionError: An invariant is broken.
        """


class Scheduler(ABC):
    """The base class of schedulers: the settings, an immutable dataclass of plain values.

    Example:
        >>> ASHA(max_resource=9).to_plain()["max_resource"]
        9
    """

    #: Whether it pauses trials, so that their objectives must report more than once.
    pauses: ClassVar[bool] = False
    #: Whether the number of its trials must be known at the start, and stays.
    fixed_cohort: ClassVar[bool] = False
    #: The most paused trials that a worker keeps in memory; None: no limit.
    max_resident: int | None = None
    #: Seconds after which a rung is decided without the trials that have not entered it, from
    #: the moment when all of them have begun; None: no limit.
    rung_timeout: float | None = None

    #: Whether an idle worker trains a promoted trial from the start where that ends before the
    #: worker that holds it has time for it.
    rebalance: bool = False

    @property
    def configurations(self) -> int | None:
        """How many configurations it is made for, if ``max_trials`` does not say; None: any."""
        return None

    def check_cohort(self, configurations: int) -> None:  # noqa: B027 - optional
        """Check that a run of this number of configurations is possible.

        Args:
            configurations: Their number.

        Raises:
            InvalidArgument: There are too few, or too many.
        """

    @abstractmethod
    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        """Return a new state for one run.

        Args:
            mode: ``min`` or ``max``.
            seed: The seed of the run.

        Returns:
            The state, which belongs to that run alone.
        """

    @property
    @abstractmethod
    def full_resource(self) -> float | None:
        """The resource of a trial that is never stopped; None: there is no limit."""

    @classmethod
    def key(cls) -> str:
        """Return the name of the class in journals.

        Returns:
            The key, by default ``module:qualname``. Override it to keep the old key after a
            class was moved or renamed.
        """
        return f"{cls.__module__}:{cls.__qualname__}"

    def to_plain(self) -> dict[str, Any]:
        """Return what a journal holds of the scheduler.

        Returns:
            The key of the class as ``class``, and its fields by name.
        """
        return {"class": self.key(), **asdict(self)}  # type: ignore[call-overload]


#: Classes that may be meant beside those of asha-bus.
Schedulers = Sequence[type[Scheduler]]
