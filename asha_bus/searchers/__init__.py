"""Searchers that learn: the interface, and searchers based on other packages."""

from asha_bus.searchers.base import Branch, Searcher

__all__ = ["Branch", "Searcher"]
