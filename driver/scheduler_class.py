"""A scheduler's class on its way to the bus process: by name, which its user gives, no journal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import SHIPPED, Scheduler


class SchedulerClass(NamedTuple):
    """Where the bus process imports the class of a third party's scheduler."""

    module: str
    name: str
    sys_path: Sequence[str]


def named(scheduler: Scheduler) -> SchedulerClass | None:
    """The class of ``scheduler`` by name; None for those of asha-bus.

    Raises `InvalidArgument` for a class that no other process can import.
    """
    cls = type(scheduler)
    if cls in SHIPPED:
        return None
    module, name = cls.__module__, cls.__qualname__
    if module == "__main__" or getattr(sys.modules.get(module), name, None) is not cls:
        raise InvalidArgument(
            f"the class of scheduler={scheduler!r} is {module}.{name}, which the bus process "
            f"cannot import; define it at the top of a module of its own, and import it from there"
        )
    return SchedulerClass(module, name, sys.path)


def imported(found: Sequence[object] | None) -> list[type[Scheduler]]:
    """The class that `named` has named, in the bus process; none for None."""
    if found is None:
        return []
    where = SchedulerClass._make(found)
    sys.path.extend(entry for entry in where.sys_path if entry not in sys.path)
    return [getattr(import_module(where.module), where.name)]
