"""Draws values by name with a sampler of Optuna, in the searcher's process."""

from __future__ import annotations

import copy
import json
import logging
import traceback
from collections.abc import Sequence
from random import Random
from typing import Any

import optuna
from optuna import distributions as d
from optuna.trial import FrozenTrial

from asha_bus.core.messages import PRUNE, Named, Point
from asha_bus.core.trial import FINAL
from asha_bus.core.worker import cut
from asha_bus.objective.raised import failed_by
from asha_bus.optuna.attributes import TRACEBACK, attributes_of
from asha_bus.optuna.outcomes import outcome_of, steps_of
from asha_bus.results.records import TrialRecord
from asha_bus.searchers.base import Branch, NotDrawn, Searcher

logger = logging.getLogger("asha_bus")

#: The most characters of a pruner's traceback.
_MAX_TRACEBACK_CHARS = 4_000


class DefineByRunSearcher(Searcher):
    """A searcher whose parameters get their names from the objective.

    ``trials``: those of the study before the run, of which the enqueued ones come first. A name
    that a trial has asked for is drawn ahead for later trials; what an objective does not ask
    for does not count. ``draws``: False where the workers draw values themselves. ``pruner``: one
    that is asked about each report, in a study of the name ``study_name``.
    """

    def __init__(
        self,
        sampler: optuna.samplers.BaseSampler,
        direction: Any,
        trials: Sequence[FrozenTrial],
        *,
        draws: bool = True,
        pruner: optuna.pruners.BasePruner | None = None,
        study_name: str | None = None,
    ) -> None:
        self.sampler = sampler
        self._direction, self._before = direction, tuple(trials)
        self._draws, self._pruner, self._study_name = draws, pruner, study_name
        self._made: optuna.Study | None = None
        self._alone = optuna.samplers.RandomSampler()
        self._is_over = False
        self._trials: list[optuna.Trial] = []
        self._names: dict[int, set[str]] = {}
        self._ended: set[int] = set()
        #: The last distribution of each name that was asked for.
        self._known: dict[str, d.BaseDistribution] = {}
        self._drawn: list[tuple[int, tuple[Named, ...]]] = []

    def __repr__(self) -> str:
        return f"{type(self.sampler).__name__}(...)"

    @property
    def _study(self) -> optuna.Study:
        if self._made is None:
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            self._made = optuna.create_study(
                sampler=self.sampler,
                pruner=self._pruner,
                study_name=self._study_name,
                direction=self._direction,
            )
            self._made.add_trials(self._before)
            self._made.stop = self._stop  # type: ignore[method-assign]
            for trial in self._before:
                self._known.update(trial.distributions)
        return self._made

    def _stop(self) -> None:
        self._is_over = True

    def suggest(self, branch: Branch, history: Sequence[TrialRecord]) -> Point | None:
        study = self._study
        if self._is_over:  # a sampler has come to the end of its list
            return None
        asked = self._asked(branch.trial)
        if self._draws:
            self._drawn.append((branch.trial, tuple(self._ahead(study, asked))))
        return branch.space.draw_point(Random(branch.seed), branch.number)

    def take_drawn(self) -> list[tuple[int, tuple[Named, ...]]]:
        """The values that were drawn ahead since the last call, by trial."""
        taken, self._drawn = self._drawn, []
        return [(trial, named) for trial, named in taken if named]

    def draw(self, trial: int, name: str, distribution: str) -> float:
        """The number of a parameter that ``trial`` asks for, or whether to prune it."""
        if name == PRUNE:
            return float(self._prunes(trial, distribution))
        asked, kind = self._asked(trial), d.json_to_distribution(distribution)
        self._names.setdefault(trial, set()).add(name)
        if _is_foreign(kind, self._known.get(name)):  # the study will say so when the trial ends
            return float(
                kind.to_internal_repr(
                    self._alone.sample_independent(
                        self._study, self._study._storage.get_trial(asked._trial_id), name, kind
                    )
                )
            )
        value = asked._suggest(name, kind)
        self._known[name] = kind
        return float(kind.to_internal_repr(value))

    def _prunes(self, number: int, where: str) -> bool:
        """Whether the pruner prunes the trial of that number after the step in ``where``."""
        assert self._pruner is not None
        storage, last = self._study._storage, json.loads(where)["step"]
        trial = copy.deepcopy(storage.get_trial(self._asked(number)._trial_id))
        steps = trial.intermediate_values  # an attempt before may have come further
        trial.intermediate_values = {
            step: steps[step] for step in steps if last is not None and step <= last
        }
        try:
            return bool(self._pruner.prune(self._study, trial))
        except Exception as error:  # the pruner may be user code; should_prune() raises it
            text = cut(traceback.format_exc(), _MAX_TRACEBACK_CHARS)
            raised = {**failed_by(error).extras, TRACEBACK: text}
            raise NotDrawn(json.dumps(raised, ensure_ascii=False)) from error

    def observe(self, trial: TrialRecord) -> None:
        if trial.id in self._ended:
            return
        asked, told = self._asked(trial.id), self._names.setdefault(trial.id, set())
        for name, text, number in trial.named:
            kind = d.json_to_distribution(text)
            if name not in told and not _is_foreign(kind, self._known.get(name)):
                self._study._storage.set_trial_param(asked._trial_id, name, number, kind)
                self._known[name] = kind
                told.add(name)
        storage, at = self._study._storage, asked._trial_id
        known = storage.get_trial(at).intermediate_values
        for step, reported in steps_of(trial).items():
            if step not in known:
                storage.set_trial_intermediate_value(at, step, reported)
        if self._pruner is not None:
            for name, value in attributes_of(trial.extras).items():
                storage.set_trial_user_attr(at, name, value)
        if trial.state in FINAL:
            self._ended.add(trial.id)
            state, value = outcome_of(trial)
            self._study.tell(asked.number, value, state)

    def _asked(self, number: int) -> optuna.Trial:
        """Optuna's trial for ours of that number; a study numbers them in the order of asking."""
        while len(self._trials) <= number:
            self._trials.append(self._study.ask())
        return self._trials[number]

    def _ahead(self, study: optuna.Study, asked: optuna.Trial) -> list[Named]:
        """A value for each name that is known, which costs the worker no question."""
        if isinstance(self.sampler, optuna.samplers.BruteForceSampler):
            return []  # it draws a value by those before it
        found: list[Named] = []
        together = asked.relative_params
        trial = study._storage.get_trial(asked._trial_id)
        fixed = trial.system_attrs.get("fixed_params", {})
        for name, kind in self._known.items():
            if name in fixed or kind.single():
                continue  # the worker knows these
            value = together.get(name)
            if name not in together or not _is_within(kind, value):
                value = study.sampler.sample_independent(study, trial, name, kind)
            number = float(kind.to_internal_repr(value))
            found.append((name, d.distribution_to_json(kind), number))
        return found


def _is_foreign(kind: d.BaseDistribution, known: d.BaseDistribution | None) -> bool:
    """Whether Optuna refuses ``kind`` for a name that has had another distribution."""
    if known is None:
        return False
    try:
        d.check_distribution_compatibility(known, kind)
    except ValueError:
        return True
    return False


def _is_within(kind: d.BaseDistribution, value: Any) -> bool:
    return bool(kind._contains(kind.to_internal_repr(value)))
