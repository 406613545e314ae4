"""Test suites for extensions of asha-bus: `SearcherContract` and `SchedulerContract`."""

from asha_bus.testing.schedulers import SchedulerContract
from asha_bus.testing.searchers import SearcherContract

__all__ = ["SchedulerContract", "SearcherContract"]
