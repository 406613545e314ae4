"""The parameters of a run whose objective names them itself; they grow with its trials."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import Leaf, choice, loguniform, randint, uniform
from asha_bus.results.records import TrialRecord


class _Kind(NamedTuple):
    """What the distributions of a name have in common, whatever their ranges."""

    name: str
    is_log: bool
    #: The JSON of the choices; empty for numbers.
    choices: str


class NamedParameters:
    """The names that trials have asked for, in the order of their first appearance.

    A name keeps its place, so that a row of values made earlier stays right: it only lacks
    the names that came later.
    """

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, None]] = {}
        self._leaves: dict[str, tuple[Leaf, ...]] = {}

    def add(self, trials: Iterable[TrialRecord]) -> None:
        """Learn the names of ``trials`` and what their values were drawn from."""
        for trial in trials:
            for name, text, _ in trial.named:
                texts = self._texts.setdefault(name, {})
                if text not in texts:
                    texts[text] = None
                    self._leaves.pop(name, None)

    def leaves(self) -> dict[str, tuple[Leaf, ...]]:
        """By name, a parameter for each kind of distribution, as wide as all of that kind."""
        for name, texts in self._texts.items():
            if name not in self._leaves:
                self._leaves[name] = _leaves(texts)
        return {name: self._leaves[name] for name in self._texts}


def _leaves(texts: Iterable[str]) -> tuple[Leaf, ...]:
    by_kind: dict[_Kind, list[dict[str, Any]]] = {}
    for text in texts:
        try:
            described = json.loads(text)
            attributes = described["attributes"]
            kind = _Kind(
                described["name"],
                bool(attributes.get("log", False)),
                json.dumps(attributes.get("choices", "")),
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            continue  # of a journal that somebody else has made
        by_kind.setdefault(kind, []).append(attributes)
    found = []
    for kind, all_attributes in by_kind.items():
        try:
            found.append(_leaf(kind, all_attributes))
        except (InvalidArgument, LookupError, TypeError, ValueError):
            continue  # such as a range of one value
    return tuple(found)


def _leaf(kind: _Kind, all_attributes: list[dict[str, Any]]) -> Leaf:
    if kind.name == "CategoricalDistribution":
        return choice(*all_attributes[0]["choices"])
    low = min(attributes["low"] for attributes in all_attributes)
    high = max(attributes["high"] for attributes in all_attributes)
    if kind.name == "IntDistribution":
        return randint(low, high, log=kind.is_log)
    return loguniform(low, high) if kind.is_log else uniform(low, high)
