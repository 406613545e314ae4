"""Schedulers: the rules by which trials go on, stop or complete.

A scheduler is an immutable description (`Scheduler`) that makes a fresh `SchedulerState`
for each run, so that one description may serve any number of runs.
"""

from collections.abc import Mapping
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers.asha import ASHA
from asha_bus.core.schedulers.asked import AskPruner
from asha_bus.core.schedulers.base import Decision, Move, Scheduler, Schedulers, SchedulerState
from asha_bus.core.schedulers.checked import CheckedState
from asha_bus.core.schedulers.halving import Hyperband, SuccessiveHalving
from asha_bus.core.schedulers.median import MedianStopping
from asha_bus.core.schedulers.nostopping import NoStopping
from asha_bus.core.schedulers.promotion import PromotionASHA

__all__ = [
    "ASHA",
    "AskPruner",
    "Decision",
    "Hyperband",
    "MedianStopping",
    "Move",
    "NoStopping",
    "PromotionASHA",
    "Scheduler",
    "SchedulerState",
    "Schedulers",
    "SuccessiveHalving",
]

#: A journal names its scheduler by `Scheduler.key`; without more, it is one of these.
SHIPPED: Schedulers = (
    ASHA,
    AskPruner,
    Hyperband,
    MedianStopping,
    NoStopping,
    PromotionASHA,
    SuccessiveHalving,
)


def state_of(scheduler: Scheduler, *, mode: str, seed: int) -> SchedulerState:
    """A new state of ``scheduler`` for one run; what is not of asha-bus is checked."""
    state = scheduler.new_state(mode=mode, seed=seed)
    if type(scheduler) in SHIPPED:
        return state
    return CheckedState(state, type(scheduler).__name__, pauses=scheduler.pauses)


def scheduler_from_plain(plain: Mapping[str, Any], schedulers: Schedulers = ()) -> Scheduler:
    """The scheduler that `Scheduler.to_plain` described.

    Nothing is imported: ``plain`` may come from a file that somebody else wrote.

    Args:
        plain: The key of a class, and the fields of the scheduler.
        schedulers: The classes that may be meant beside those of asha-bus.

    Returns:
        A scheduler equal to the one that was described.

    Raises:
        InvalidArgument: No class has this key.

    Example:
        ``scheduler_from_plain(Mine(9).to_plain(), [Mine])`` is ``Mine(9)``.
    """
    fields = dict(plain)
    key = fields.pop("class")
    known = {cls.key(): cls for cls in (*SHIPPED, *schedulers)}
    if key not in known:
        raise InvalidArgument(
            f"the scheduler {shortened(key)} is not one of asha-bus; give its class in "
            f"schedulers=[...], or to a command by --scheduler MODULE:CLASS (asha-bus simulate: "
            f"--journal-scheduler), or resume the run with the scheduler that it was begun with"
        )
    return known[key](**fields)
