"""Suites of tests for what others write to go into asha-bus; see `SearcherContract`."""

from asha_bus.testing.searchers import SearcherContract

__all__ = ["SearcherContract"]
