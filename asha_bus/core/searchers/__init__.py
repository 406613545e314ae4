"""Searchers that need no third-party package."""

from asha_bus.core.searchers.random import RandomSearch

__all__ = ["RandomSearch"]
