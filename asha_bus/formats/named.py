"""Values by name, of objectives that name their parameters while they run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from asha_bus.core.messages import Named, Point
from asha_bus.core.space import Space

#: The one parameter in the space of such a run, which nobody reads: the names are not known yet.
BY_NAME = "(by name)"


def is_by_name(space: Space) -> bool:
    """Whether it is the space of such a run."""
    return space.names == (BY_NAME,)


def shown_params(space: Space, point: Point, named: Iterable[Named]) -> Any:
    """The parameters of a trial as they are to be shown."""
    return values_of(named) if is_by_name(space) else space.shown(point)


def values_of(named: Iterable[Named]) -> dict[str, Any]:
    """What an objective got by each name."""
    return {name: value_of(distribution, number) for name, distribution, number in named}


def value_of(distribution: str, number: float) -> Any:
    """The value that belongs to ``number`` in ``distribution``, the JSON that Optuna makes of one.

    A number as it is where the text describes none that is known.
    """
    try:
        described = json.loads(distribution)
        kind, attributes = described["name"], described["attributes"]
        if kind == "CategoricalDistribution":
            return attributes["choices"][int(number)]
        return int(number) if kind == "IntDistribution" else number
    except (ValueError, LookupError, TypeError):  # of a journal that somebody else has made
        return number
