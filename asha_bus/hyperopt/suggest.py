"""Searchers for `fmin`: an algorithm of hyperopt, and one that adds trials of earlier runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asha_bus.core.messages import Point
from asha_bus.core.trial import FINAL
from asha_bus.hyperopt.documents import document, raw_of
from asha_bus.hyperopt.labels import point_of_raw
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.base import Branch, Searcher


class Suggesting(Searcher):
    """A searcher that calls ``function``, an algorithm of hyperopt such as ``anneal.suggest``.

    ``function(ids, domain, trials, seed)`` returns documents of new trials. ``space``: a space
    of hyperopt. As in hyperopt, running trials are included, without a loss.
    """

    def __init__(self, function: Callable[..., Any], space: Any) -> None:
        self._function, self._space = function, space
        self._domain: Any = None
        self._documents: dict[int, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"{self._function.__module__}.{self._function.__qualname__}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_domain": None, "_documents": {}}

    def suggest(self, branch: Branch, history: Sequence[TrialRecord]) -> Point:
        from hyperopt.base import Domain, trials_from_docs

        if self._domain is None:
            self._domain = Domain(_unused, self._space)
        documents = [self._document(trial, branch) for trial in history]
        trials = trials_from_docs(documents, validate=False)
        [found] = self._function([branch.trial], self._domain, trials, branch.seed)
        return point_of_raw(branch.space, raw_of(found))

    def _document(self, trial: TrialRecord, branch: Branch) -> dict[str, Any]:
        known = self._documents.get(trial.id)
        if known is None:
            known = document(trial, branch.space)
            if trial.state in FINAL:
                self._documents[trial.id] = known  # it will not change
        return known


class Remembering(Searcher):
    """Puts the trials of ``earlier`` runs before the history that ``searcher`` gets."""

    def __init__(self, searcher: Any, earlier: Sequence[TrialRecord]) -> None:
        self._searcher, self._earlier = searcher, tuple(earlier)

    def __repr__(self) -> str:
        return f"{self._searcher!r} after {len(self._earlier)} trials"

    def suggest(
        self, branch: Branch, history: Sequence[TrialRecord]
    ) -> Mapping[str, Any] | Point | None:
        of_branch = [
            trial for trial in self._earlier if branch.space.branch_of(trial.point) == branch.number
        ]
        found: Mapping[str, Any] | Point | None
        found = self._searcher.suggest(branch, [*of_branch, *history])
        return found

    def observe(self, trial: TrialRecord) -> None:
        observe = getattr(self._searcher, "observe", None)
        if observe is not None:
            observe(trial)


def _unused(_: object) -> float:
    raise NotImplementedError("hyperopt only suggests here; it does not evaluate")
