"""Test suites for extensions of asha-bus, such as your own searcher: see `SearcherContract`."""

from asha_bus.testing.searchers import SearcherContract

__all__ = ["SearcherContract"]
