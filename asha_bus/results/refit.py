"""Trains the best configuration of a run again, in the user's process."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import Trial, check_parameters, shape_of
from asha_bus.objective.values import close_iterator, is_iterator, to_metric, to_resource

if TYPE_CHECKING:
    from asha_bus.results.records import TrialRecord


class Recipe(NamedTuple):
    """What a run has trained."""

    objective: Callable[..., Any]
    #: The further arguments of the objective.
    data: Mapping[str, Any]


def refit(
    recipe: Recipe | None, best: TrialRecord | None, reason: str, overrides: Mapping[str, Any]
) -> Any:
    """Train ``best`` again; see `Result.refit`. ``reason``: why there is none."""
    if recipe is None:
        raise InvalidArgument(
            "refit() needs the objective, which neither a journal nor a saved result holds; call "
            "it on the result of a launch, or call your objective with result.best.params"
        )
    if best is None:
        raise InvalidArgument(f"refit() needs a best trial, but there is none: {reason}")
    objective, data = recipe
    takes_names = isinstance(best.params, dict)
    if overrides and not takes_names:
        raise InvalidArgument(
            f"refit() got {', '.join(overrides)}, but the objective gets one argument, "
            f"{shortened(best.params)}, in which nothing can be replaced by name"
        )
    params = copy.copy(best.params)
    if takes_names:
        params.update(overrides)
        check_parameters(objective, list(params), "refit()", tuple(data))
    if shape_of(objective) is Shape.TRIAL:
        trial = _Refit(best, params)
        value = objective(trial, **data)
        return _last(value, best.resource) if is_iterator(value) and not trial.resource else value
    value = objective(**params, **data) if takes_names else objective(params, **data)
    return _last(value, best.resource) if is_iterator(value) else value


def _last(values: Iterator[Any], most: float) -> Any:
    """The last of ``values``, of which ``most`` are taken."""
    last = None
    try:
        for number, last in enumerate(values, 1):  # noqa: B007 - it is what is returned
            if number >= most:
                break
    finally:
        close_iterator(values)
    return last


class _Refit(Trial):
    """The trial of a refit, which ends at the resource of the one that it repeats."""

    attempt = 1

    def __init__(self, best: TrialRecord, params: Any) -> None:
        self.id, self.seed, self.repeat, self.params = best.id, best.seed, best.repeat, params
        self._most = best.resource
        self._resource: float = 0
        self._is_from_zero = False

    @property
    def should_stop(self) -> bool:
        return self._resource >= self._most

    @property
    def resource(self) -> float:
        return self._resource

    def report(self, metric: Any = ..., /, resource: Any = None, **extras: Any) -> bool:
        to_metric(extras.get("metric") if metric is ... else metric)
        at = to_resource(resource)
        if at is None:
            at = self._resource + 1
        else:
            self._is_from_zero = self._is_from_zero or (at == 0 and not self._resource)
            at += self._is_from_zero
        self._resource = max(self._resource, at)
        return not self.should_stop

    def checkpoint(self, save: Callable[[str], object], load: Callable[[str], object]) -> float:
        if not (callable(save) and callable(load)):
            raise ObjectiveError("trial.checkpoint(): save and load must be functions")
        return 0

    def attach(self, name: str, value: bytes | str | os.PathLike[str]) -> None:
        pass  # what a refit makes is what it returns

    def log(self, text: str) -> None:
        print(f"trial {self.id}: {text}")

    def __iter__(self) -> Iterator[int]:
        for step in count():
            if self.should_stop:
                return
            yield step
