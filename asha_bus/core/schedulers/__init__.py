"""Schedulers: the rules by which trials go on, stop or complete.

A scheduler is an immutable description (`Scheduler`) that makes a fresh `SchedulerState`
for each run, so that one description may serve any number of runs.
"""

from asha_bus.core.schedulers.asha import ASHA
from asha_bus.core.schedulers.base import Decision, Scheduler, SchedulerState, scheduler_from_plain
from asha_bus.core.schedulers.nostopping import NoStopping

__all__ = ["ASHA", "Decision", "NoStopping", "Scheduler", "SchedulerState", "scheduler_from_plain"]
