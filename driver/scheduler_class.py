"""A scheduler's class on its way to the bus: named by the user's process, never by a journal."""

from __future__ import annotations

import sys
from importlib import import_module

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import SHIPPED, Scheduler, Schedulers
from asha_bus.driver.process import import_paths
from asha_bus.formats.pipe import SchedulerClass


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
    return SchedulerClass(module, name, import_paths())


def imported(found: SchedulerClass | None) -> Schedulers:
    """The class that `named` has named, in the bus process; none for None."""
    if found is None:
        return ()
    sys.path.extend(entry for entry in found.sys_path if entry not in sys.path)
    return [getattr(import_module(found.module), found.name)]
