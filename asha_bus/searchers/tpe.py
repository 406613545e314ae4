"""The tree-structured Parzen estimator of hyperopt, on trials that were stopped early."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from asha_bus.core.checks import ABOVE_0, SHARE, check, whole
from asha_bus.core.messages import Point
from asha_bus.core.pseudorandom import mix
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.axes import Axis, Places, axes_of, drawn, places_of, point_at
from asha_bus.searchers.base import Branch, Searcher
from asha_bus.searchers.outcomes import Outcomes, averaged, outcomes_of

#: A model needs the metrics of so many more trials than there are parameters.
_MORE_THAN_PARAMETERS = 3

#: Trials that hyperopt is given at most: its time grows with them.
MAX_GIVEN = 300

#: Of those, so many at least are the best ones; the rest are the latest.
_BEST_GIVEN = 100

#: hyperopt's model of the good trials holds no more of them.
_MOST_GOOD = 25

#: Where a condition of the space refuses what was suggested, it is asked so often.
_TRIES = 10

_SEED_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class TPE(Searcher):
    """The tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) of hyperopt.

    Each level-1 configuration has a model of its own. ``n_startup``: so many trials of it
    are drawn at random first (default 20). ``gamma``: of ``n`` trials the best
    ``gamma * sqrt(n)``, 25 at most, are the good ones (default 0.25). ``n_candidates``: the
    best of so many draws from the model of the good ones is suggested, in each parameter
    (default 24). ``prior_weight``: how much the space itself counts, in trials (default 1).
    ``random_share``: so much of the suggestions is drawn at random all the same, so that
    it gets out of where it was led by chance (default 1/3). ``seed``: a whole number; None
    takes the run's.

    Where trials are stopped early it has the model of BOHB (Falkner, Klein and Hutter, ICML
    2018), that of the highest rung where at least three trials more than there are
    parameters have a metric. Trials that were stopped below it are bad ones, as are those
    that failed; and, for the time being, those that still run: else workers that ask at the
    same time would all get the same.

    Needs ``pip install 'asha-bus[hyperopt]'``; raises `ImportError` without it, and
    `InvalidArgument` naming an argument that is wrong.
    """

    n_startup: int = 20
    gamma: float = 0.25
    n_candidates: int = 24
    prior_weight: float = 1.0
    random_share: float = 1 / 3
    seed: int | None = None
    #: By the number of a branch: what hyperopt knows of its parameters.
    _models: dict[int, _Model] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check("TPE: n_startup", self.n_startup, whole(0))
        check("TPE: gamma", self.gamma, ABOVE_0)
        check("TPE: n_candidates", self.n_candidates, whole(1))
        check("TPE: prior_weight", self.prior_weight, ABOVE_0)
        check("TPE: random_share", self.random_share, SHARE)
        if self.seed is not None:
            check("TPE: seed", self.seed, whole(0))
        if find_spec("hyperopt") is None:
            raise ImportError("TPE needs hyperopt: pip install 'asha-bus[hyperopt]'")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_models": {}}

    def suggest(self, branch: Branch, history: Sequence[TrialRecord]) -> Point:
        seed = branch.seed if self.seed is None else mix(self.seed, branch.trial) & _SEED_MASK
        model = self._models.get(branch.number)
        if model is None:
            axes = axes_of(branch)
            if not axes:  # level 1 tells all
                return drawn(branch, seed)
            model = self._models[branch.number] = _Model(axes)
        least = len(model.axes) + _MORE_THAN_PARAMETERS
        outcomes = outcomes_of(averaged(history), branch.mode, least)
        known = len(outcomes.losses) + len(outcomes.bad)
        is_random = mix(seed) < self.random_share * 2**64
        too_few = known < self.n_startup or len(outcomes.losses) < least
        if is_random or too_few:
            return drawn(branch, seed)
        n_good = min(math.ceil(self.gamma * math.sqrt(known)), _MOST_GOOD, len(outcomes.losses))
        given = _given(outcomes)
        for attempt in range(_TRIES):
            numbers = model.suggest(
                branch,
                given,
                seed if attempt == 0 else mix(seed, attempt) & _SEED_MASK,
                # hyperopt takes gamma * sqrt(n) of those that it is given, rounded up
                gamma=(n_good - 0.5) / math.sqrt(len(given)),
                n_EI_candidates=self.n_candidates,
                prior_weight=self.prior_weight,
            )
            point = point_at(branch, numbers)
            if point is not None:
                return point
        return drawn(branch, seed)


def _given(outcomes: Outcomes) -> list[tuple[TrialRecord, float]]:
    """What hyperopt is given: `MAX_GIVEN` trials at most, the best and the latest."""
    others = [(trial, math.inf) for trial in (*outcomes.bad, *outcomes.still_open)]
    ranked = sorted(outcomes.losses, key=lambda entry: (entry[1], entry[0].id))
    rest = sorted((*ranked[_BEST_GIVEN:], *others), key=lambda entry: entry[0].id)
    return ranked[:_BEST_GIVEN] + rest[-(MAX_GIVEN - _BEST_GIVEN) :]


class _Model:
    """What hyperopt knows of a branch: its axes, each with a distribution of its own.

    Its posterior of a parameter depends on nothing but the trials that have it. So a
    parameter that only some options have may stand beside the others.
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        from hyperopt.base import Domain

        self.axes = axes
        self._domain = Domain(_unused, [_distribution(axis) for axis in self.axes])
        self._places: dict[Point, Places] = {}

    def suggest(
        self,
        branch: Branch,
        given: list[tuple[TrialRecord, float]],
        seed: int,
        **options: float,
    ) -> dict[str, float]:
        """The numbers that hyperopt would try next, after ``given``: trials with their losses."""
        from hyperopt import tpe
        from hyperopt.base import trials_from_docs

        documents = [self._document(branch, trial, loss) for trial, loss in given]
        trials = trials_from_docs(documents, validate=False)
        [found] = tpe.suggest(
            [branch.trial], self._domain, trials, seed, n_startup_jobs=0, verbose=False, **options
        )
        values = found["misc"]["vals"]
        return {axis.path: axis.number(values[axis.path][0]) for axis in self.axes}

    def _document(self, branch: Branch, trial: TrialRecord, loss: float) -> dict[str, Any]:
        """A trial as hyperopt keeps it."""
        places = self._places.get(trial.point)
        if places is None:
            places = places_of(branch, self.axes, trial.point, trial.id)
            self._places[trial.point] = places
        idxs = {axis.path: [trial.id] if axis.path in places else [] for axis in self.axes}
        vals = {path: [places[path]] if ids else [] for path, ids in idxs.items()}
        misc = {"tid": trial.id, "idxs": idxs, "vals": vals}
        return {"tid": trial.id, "state": 2, "result": {"loss": loss}, "misc": misc}


def _unused(_: object) -> float:
    raise NotImplementedError("hyperopt suggests here, and evaluates nothing")


def _distribution(axis: Axis) -> Any:
    """hyperopt's distribution of the places on ``axis``."""
    from hyperopt import hp

    weights = axis.weights
    if not weights:
        return hp.uniform(axis.path, 0, 1)
    if len(set(weights)) == 1:
        return hp.randint(axis.path, len(weights))
    return hp.pchoice(axis.path, [(weight, i) for i, weight in enumerate(weights)])
