"""What hyperopt's ``fmin`` takes as ``algo``, ``rstate`` and ``trials``, in our words."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from asha_bus.core.checks import ELSEWHERE, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.pseudorandom import mix
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space
from asha_bus.hyperopt.documents import DONE, NEW, raw_of, records_of
from asha_bus.hyperopt.suggest import Remembering, Suggesting
from asha_bus.hyperopt.trials import SparkTrials, Trials
from asha_bus.searchers.tpe import TPE

#: The arguments of hyperopt's ``tpe.suggest`` that our searcher also has.
_OF_TPE = ("n_startup_jobs", "gamma", "n_EI_candidates", "prior_weight")

#: Seeds are drawn below this.
_SEEDS = 2**31 - 1


def searcher_of(algo: Any, space: Any = None) -> Any:
    """The searcher for ``algo``: a function of hyperopt, a partial of one, or a searcher.

    ``space``: the one of `fmin`, which functions other than ``tpe.suggest`` and
    ``rand.suggest`` are given as it is. Raises `InvalidArgument` where there is none such,
    `ImportError` without hyperopt.
    """
    if algo is None:
        return _tpe({})
    if isinstance(algo, functools.partial):
        if _is_suggest(algo.func, "hyperopt.tpe") and not algo.args:
            return _tpe(algo.keywords)
        if _is_suggest(algo.func, "hyperopt.rand") and not algo.args:
            return RandomSearch()
    if _is_suggest(algo, "hyperopt.tpe"):
        return _tpe({})
    if _is_suggest(algo, "hyperopt.rand"):
        return RandomSearch()
    is_searcher = isinstance(algo, RandomSearch) or callable(getattr(algo, "suggest", None))
    if is_searcher and not isinstance(algo, (ModuleType, type)):
        return algo
    if _is_algorithm(algo):
        if isinstance(space, Space):
            raise InvalidArgument(
                f"algo {shortened(algo)} knows spaces of hyperopt only, and space is one "
                f"of asha_bus"
            )
        return Suggesting(algo, space)
    raise InvalidArgument(
        f"algo unknown: {shortened(algo)}; give hyperopt's tpe.suggest, rand.suggest or "
        f"anneal.suggest, a functools.partial of one, a searcher such as RandomSearch(), or None "
        f"for TPE"
    )


def remembering(searcher: Any, documents: Sequence[Mapping[str, Any]], space: Space) -> Any:
    """``searcher``, which knows the trials of earlier runs, where it is one that learns."""
    ended = [one for one in documents if one["state"] == DONE]
    if not ended or isinstance(searcher, RandomSearch):
        return searcher
    return Remembering(searcher, records_of(ended, space))


def seed_of(rstate: Any, earlier: int = 0) -> int | None:
    """The seed of a run: a whole number as it is, else the next one of a generator of numpy.

    None takes the environment's ``HYPEROPT_FMIN_SEED``, as hyperopt does. ``earlier``: how
    many trials there are already, which the same ``rstate`` is not to try again. Raises
    `InvalidArgument` where it is none of these.
    """
    seed = _seed(rstate)
    return seed if seed is None or not earlier else mix(seed, earlier) % _SEEDS


def _seed(rstate: Any) -> int | None:
    if rstate is None:
        text = os.environ.get("HYPEROPT_FMIN_SEED", "")
        if text and not text.isdecimal():
            raise InvalidArgument(f"HYPEROPT_FMIN_SEED must be a whole number, got {text!r}")
        return int(text) if text else None
    if isinstance(rstate, int) and not isinstance(rstate, bool) and rstate >= 0:
        return rstate
    for method in ("integers", "randint"):  # of a Generator, of an older RandomState
        draw = getattr(rstate, method, None)
        if callable(draw) and type(rstate).__module__.startswith("numpy."):
            return int(draw(_SEEDS))
    raise InvalidArgument(
        f"rstate must be numpy.random.default_rng(seed), a whole number or None, got "
        f"{shortened(rstate)}"
    )


def trials_of(given: Any) -> tuple[Trials, Any]:
    """Our trials for those ``given``, and hyperopt's own to be filled afterwards, if it is such.

    Ours then hold the trials that hyperopt's have, but for those that are yet to be run: see
    `points_of`. Raises `InvalidArgument` where it is neither.
    """
    if given is None:
        return Trials(), None
    if isinstance(given, Trials):
        return given, None
    names = {cls.__name__ for cls in type(given).__mro__ if cls.__module__.startswith("hyperopt.")}
    if "Trials" not in names or not names <= {"Trials", "SparkTrials"}:
        raise InvalidArgument(
            f"trials must be asha_bus.SparkTrials(...), asha_bus.Trials() or None, got "
            f"{shortened(given)}"
        )
    given.refresh()
    ours = Trials()
    if "SparkTrials" in names:
        ours = SparkTrials(
            given.user_specified_parallelism, given.timeout, given.loss_threshold, given._spark
        )
    ours.documents.extend(one for one in given.trials if one["state"] == DONE)
    ours.attachments.update(given.attachments)
    return ours, given


def points_of(theirs: Any) -> list[dict[str, Any]]:
    """The raw values of the trials of hyperopt's that are to be run first."""
    if theirs is None:
        return []
    return [raw_of(one) for one in theirs.trials if one["state"] == NEW]


def give_back(ours: Trials, theirs: Any) -> None:
    """Put into hyperopt's own trials what came of the run."""
    theirs._dynamic_trials[:] = ours.documents  # there is no public way to take one out
    theirs.attachments.update(ours.attachments)
    theirs.refresh()


def _tpe(given: dict[str, Any]) -> Any:
    """Our TPE by the arguments of hyperopt's, which draws none at random once it has a model."""
    for name in given:
        if name not in (*_OF_TPE, "verbose"):
            raise InvalidArgument(
                f"algo: tpe.suggest with {name} is not known here; it may have {', '.join(_OF_TPE)}"
            )
    names = {name: ELSEWHERE.get(name, name).removeprefix("TPE.") for name in given}
    arguments = {names[name]: value for name, value in given.items() if name in _OF_TPE}
    return TPE(random_share=0.0, **arguments)


def _is_suggest(function: Any, module: str) -> bool:
    """Whether it is the function ``suggest`` of a module of hyperopt, which need not be there."""
    names = getattr(function, "__module__", None), getattr(function, "__name__", None)
    return names == (module, "suggest")


def _is_algorithm(algo: Any) -> bool:
    """Whether it is another algorithm for hyperopt, which calls it with four arguments."""
    if not callable(algo) or isinstance(algo, type):
        return False
    try:
        inspect.signature(algo).bind([0], None, None, 0)
    except (TypeError, ValueError):
        return False
    return True
