"""Schedulers: the rules by which trials go on, stop or complete.

A scheduler is an immutable description (`Scheduler`) that makes a fresh `Rule`
for each run, so that one description may serve any number of runs.
"""

from asha_bus.core.schedulers.asha import ASHA
from asha_bus.core.schedulers.base import Judgement, Rule, Scheduler, scheduler_from_plain
from asha_bus.core.schedulers.nostopping import NoStopping

__all__ = ["ASHA", "Judgement", "NoStopping", "Rule", "Scheduler", "scheduler_from_plain"]
