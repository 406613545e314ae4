"""What hyperopt's ``fmin`` takes as ``algo``, ``rstate`` and ``trials``, in our words."""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.searchers import RandomSearch
from asha_bus.hyperopt_trials import SparkTrials, Trials
from asha_bus.searchers.tpe import TPE

#: Arguments of hyperopt's ``tpe.suggest`` and those of our searcher.
_OF_TPE = {
    "n_startup_jobs": "n_startup",
    "gamma": "gamma",
    "n_EI_candidates": "n_candidates",
    "prior_weight": "prior_weight",
}

#: Seeds are drawn below this.
_SEEDS = 2**31 - 1


def searcher_of(algo: Any) -> Any:
    """The searcher for ``algo``: a function of hyperopt, a partial of one, or a searcher.

    Raises `InvalidArgument` where there is none such, `ImportError` without hyperopt.
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
    raise InvalidArgument(
        f"algo unknown: {algo!r}; give hyperopt's tpe.suggest or rand.suggest, a "
        f"functools.partial of tpe.suggest, a searcher such as RandomSearch(), or None for TPE"
    )


def seed_of(rstate: Any) -> int | None:
    """The seed of a run: a whole number as it is, else the next one of a generator of numpy.

    None takes the environment's ``HYPEROPT_FMIN_SEED``, as hyperopt does. Raises
    `InvalidArgument` where it is none of these.
    """
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
        f"rstate must be numpy.random.default_rng(seed), a whole number or None, got {rstate!r}"
    )


def trials_of(given: Any) -> tuple[Trials, Any]:
    """Our trials for those ``given``, and hyperopt's own to be filled afterwards, if it is such.

    Raises `InvalidArgument` where it is neither, or where hyperopt's has trials already.
    """
    if given is None:
        return Trials(), None
    if isinstance(given, Trials):
        return given, None
    names = {cls.__name__ for cls in type(given).__mro__ if cls.__module__.startswith("hyperopt.")}
    if "Trials" not in names or not names <= {"Trials", "SparkTrials"}:
        raise InvalidArgument(
            f"trials must be asha_bus.SparkTrials(...), asha_bus.Trials() or None, got {given!r}"
        )
    if len(given):
        raise InvalidArgument(
            f"trials of hyperopt hold {len(given)} trials, with which no run here can go on; give "
            f"new ones, or asha_bus.Trials(), which can be passed again"
        )
    if "SparkTrials" not in names:
        return Trials(), given
    ours = SparkTrials(
        given.user_specified_parallelism, given.timeout, given.loss_threshold, given._spark
    )
    return ours, given


def _tpe(given: dict[str, Any]) -> Any:
    """Our TPE by the arguments of hyperopt's, which draws none at random once it has a model."""
    for name in given:
        if name not in (*_OF_TPE, "verbose"):
            raise InvalidArgument(
                f"algo: tpe.suggest with {name} is not known here; it may have {', '.join(_OF_TPE)}"
            )
    arguments = {ours: given[theirs] for theirs, ours in _OF_TPE.items() if theirs in given}
    return TPE(random_share=0.0, **arguments)


def _is_suggest(function: Any, module: str) -> bool:
    """Whether it is the function ``suggest`` of a module of hyperopt, which need not be there."""
    names = getattr(function, "__module__", None), getattr(function, "__name__", None)
    return names == (module, "suggest")
