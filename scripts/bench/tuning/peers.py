"""How others tune the same problems, as their users do, with the same workers in virtual time."""

from __future__ import annotations

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from hyperopt import hp, tpe
from hyperopt.base import (
    JOB_STATE_DONE,
    JOB_STATE_RUNNING,
    STATUS_OK,
    Domain,
    Trials,
    spec_from_misc,
)
from hyperopt.fmin import space_eval

from asha_bus.core.space import Choice, LogUniform, Number, Parameter, RandInt, Uniform
from bench.tuning.ours import Completed, Problem


class Peer(ABC):
    """A tuner that workers ask for configurations, and tell of metrics."""

    @abstractmethod
    def ask(self) -> tuple[Any, dict[str, Any]]:
        """What it calls the next trial, and its parameters."""

    @abstractmethod
    def report(self, trial: Any, resource: int, metric: float) -> bool:
        """Tell a metric; whether the trial goes on."""

    @abstractmethod
    def complete(self, trial: Any, metric: float) -> None:
        """A trial has run to its end."""


def tuned_by(peer: Peer, problem: Problem, *, workers: int, resource: float) -> list[Completed]:
    """The trials that ran to their end until ``resource`` was spent, in order."""
    spent, number = 0, 0
    completed: list[Completed] = []
    #: When each worker reports next: time, a number for equal times, trial, curve, resource.
    agenda: list[tuple[int, int, Any, list[float], int]] = []

    def begin(now: int) -> None:
        nonlocal number
        number += 1
        trial, params = peer.ask()
        heapq.heappush(agenda, (now + 1, number, trial, list(problem.curve(params)), 1))

    for _ in range(workers):
        begin(0)
    while spent < resource:
        now, order, trial, curve, done = heapq.heappop(agenda)
        spent += 1
        metric = curve[done - 1]
        if done == problem.max_resource:
            peer.complete(trial, metric)
            completed.append(Completed(spent, metric))
            begin(now)
        elif peer.report(trial, done, metric):
            heapq.heappush(agenda, (now + 1, order, trial, curve, done + 1))
        else:
            begin(now)
    return completed


class HyperoptTPE(Peer):
    """hyperopt's TPE as ``fmin`` drives it, every trial to its end."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._space = _for_hyperopt(problem.space.tree)
        self._domain = Domain(lambda params: 0.0, self._space)
        self._trials = Trials()
        self._random = np.random.default_rng(seed)

    def ask(self) -> tuple[Any, dict[str, Any]]:
        self._trials.refresh()
        ids = self._trials.new_trial_ids(1)
        seed = int(self._random.integers(2**31 - 1))
        [document] = tpe.suggest(ids, self._domain, self._trials, seed, verbose=False)
        document["state"] = JOB_STATE_RUNNING
        self._trials.insert_trial_docs([document])
        self._trials.refresh()
        return ids[0], space_eval(self._space, spec_from_misc(document["misc"]))

    def report(self, trial: Any, resource: int, metric: float) -> bool:
        return True

    def complete(self, trial: Any, metric: float) -> None:
        for document in self._trials._dynamic_trials:
            if document["tid"] == trial:
                document["state"] = JOB_STATE_DONE
                document["result"] = {"status": STATUS_OK, "loss": metric}


class OptunaTPE(Peer):
    """Optuna's TPE with its pruner by successive halving."""

    def __init__(self, problem: Problem, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._tree = problem.space.tree
        self._study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
            pruner=optuna.pruners.SuccessiveHalvingPruner(
                min_resource=problem.min_resource, reduction_factor=3
            ),
        )

    def ask(self) -> tuple[Any, dict[str, Any]]:
        trial = self._study.ask()
        return trial, _by_optuna("", self._tree, trial)

    def report(self, trial: Any, resource: int, metric: float) -> bool:
        trial.report(metric, resource)
        if not trial.should_prune():
            return True
        self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return False

    def complete(self, trial: Any, metric: float) -> None:
        self._study.tell(trial, metric)


def _for_hyperopt(tree: Any, path: str = "") -> Any:
    """The same space as a user of hyperopt writes it."""
    if isinstance(tree, Mapping):
        return {key: _for_hyperopt(node, f"{path}.{key}") for key, node in tree.items()}
    if isinstance(tree, Choice):
        options = [_for_hyperopt(option, f"{path}:{i}") for i, option in enumerate(tree.options)]
        return hp.choice(path, options)
    if isinstance(tree, LogUniform):
        return hp.loguniform(path, math.log(tree.low), math.log(tree.high))
    if isinstance(tree, Uniform):
        return hp.uniform(path, tree.low, tree.high)
    if isinstance(tree, RandInt):
        if tree.log:
            low, high = math.log(tree.low - 0.5), math.log(tree.high + 0.5)
            return hp.qloguniform(path, low, high, 1)
        return hp.uniformint(path, tree.low, tree.high)
    assert not isinstance(tree, Parameter)
    return tree


def _by_optuna(path: str, tree: Any, trial: optuna.Trial) -> Any:
    """The parameters, asked for one by one as a user of Optuna does."""
    if isinstance(tree, Mapping):
        return {key: _by_optuna(f"{path}.{key}", node, trial) for key, node in tree.items()}
    if isinstance(tree, Choice):
        index = trial.suggest_categorical(path, list(range(len(tree.options))))
        return _by_optuna(f"{path}:{index}", tree.options[index], trial)
    if isinstance(tree, (LogUniform, Uniform)):
        is_log = isinstance(tree, LogUniform)
        return trial.suggest_float(path, tree.low, tree.high, log=is_log)
    if isinstance(tree, RandInt):
        return trial.suggest_int(path, tree.low, tree.high, log=tree.log)
    assert not isinstance(tree, Number)
    return tree
