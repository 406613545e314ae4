"""Searchers that learn: the interface, and some that stand on packages of others."""

from asha_bus.searchers.base import Branch, Searcher

__all__ = ["Branch", "Searcher"]
