"""The trial that an objective written for Optuna gets in a worker."""

from __future__ import annotations

import datetime
import json
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn
from zlib import crc32

from optuna import distributions as d
from optuna.trial import BaseTrial

from asha_bus.core.checks import shortened
from asha_bus.core.curve import Curve
from asha_bus.core.errors import ObjectiveError
from asha_bus.core.messages import PRUNE, Extras
from asha_bus.core.pseudorandom import mix
from asha_bus.executor.running_trial import RunningTrial
from asha_bus.formats.wire import MAX_NAME_CHARS, MAX_NAMED, MAX_NAMED_CHARS
from asha_bus.objective.raised import raised_as
from asha_bus.optuna.attributes import (
    MAX_ATTRIBUTES,
    MAX_STEPS,
    STEP,
    STEPS,
    STOPS,
    TRACEBACK,
    as_json,
    packed,
)
from asha_bus.optuna.drawing import drawn
from asha_bus.optuna.worker_study import WorkerStudy

_PLAIN = (type(None), bool, int, float, str)
#: The text of a range, which most trials ask for again. Choices are not kept, of which 1 == True.
_range_as_text = lru_cache(d.distribution_to_json)
_Distribution = d.BaseDistribution
#: The largest step: resources are floats, which hold no larger whole numbers one by one.
_MAX_STEP = 2**53


class PrunerError(ObjectiveError):
    """A pruner raised what has no type here; ``extras`` name it for the program."""

    def __init__(self, message: str, extras: Extras) -> None:
        super().__init__(message)
        self.extras = extras


class BusTrial(BaseTrial):
    """Optuna's trial over the bus: values come with the trial, or are asked for by name.

    ``number``: its number in ``study``. ``fixed``: the values of an enqueued trial. ``is_random``:
    values are drawn here, by the trial's seed and the name. ``asks``: a pruner in the searcher's
    process decides. ``known``: the distribution of each name that earlier trials of this worker
    have asked for, to which this one adds.
    """

    def __init__(
        self,
        running: RunningTrial,
        number: int,
        fixed: Mapping[str, Any],
        *,
        study: WorkerStudy,
        is_random: bool,
        asks: bool,
        known: dict[str, _Distribution],
    ) -> None:
        self._running, self._number, self._fixed = running, number, fixed
        self._study = study
        self._is_random, self._asks, self._known = is_random, asks, known
        self._ahead = {name: (text, value) for name, text, value in running.drawn}
        self._start = datetime.datetime.now()
        self._params: dict[str, Any] = {}
        self._distributions: dict[str, _Distribution] = {}
        self._chars = 0
        self._user_attrs: dict[str, Any] = {}
        self._packed: Extras = {}
        #: Reports that the bus does not have: nobody has asked whether to prune.
        self._unsent: list[tuple[float, int]] = []
        self._steps: set[int] = set()
        self._last_step: int | None = None
        #: All reports, thinned out, and whether they left out steps.
        self._curve = Curve()
        self._is_sparse = False

    # --- parameters -----------------------------------------------------------

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A float of [low, high]."""
        value: float = self._suggest(name, d.FloatDistribution(low, high, log=log, step=step))
        return value

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """As in Optuna, where it is deprecated."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """As in Optuna, where it is deprecated."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """As in Optuna, where it is deprecated."""
        return self.suggest_float(name, low, high, step=q)

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number of [low, high]."""
        return int(self._suggest(name, d.IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of ``choices``, which are None, booleans, numbers or texts."""
        for choice in choices:
            if not isinstance(choice, _PLAIN):
                raise ObjectiveError(
                    f"suggest_categorical({name!r}): {shortened(choice)} of type "
                    f"{type(choice).__name__} cannot travel; give None, booleans, numbers or "
                    f"texts, and look the object up by them"
                )
        return self._suggest(name, d.CategoricalDistribution(choices))

    def _suggest(self, name: str, distribution: _Distribution) -> Any:
        if self._running.is_over:
            raise ObjectiveError(
                f"{name!r} was asked for after trial {self._number} had ended; suggest in the "
                f"objective, before it returns"
            )
        if name in self._distributions:
            return self._again(name, distribution)
        for earlier in (self._known.get(name), self._from_ahead(name)):
            if earlier is not None:
                _check_same(name, earlier, distribution)
        text = _text_of(distribution)
        self._check_room(name, text)
        number = self._number_of(name, distribution, text)
        value = distribution.to_external_repr(number)
        self._params[name], self._distributions[name] = value, distribution
        self._known[name] = distribution
        self._running.use((name, text, number))
        return value

    def _again(self, name: str, distribution: _Distribution) -> Any:
        """The value that there is, as in Optuna, which warns if the distribution has changed."""
        first = self._distributions[name]
        _check_same(name, first, distribution)
        if first != distribution:
            warnings.warn(
                f"{name!r} was suggested before in this trial, from {first}; that value counts, "
                f"and {distribution} is ignored",
                RuntimeWarning,
                stacklevel=4,
            )
        return self._params[name]

    def _from_ahead(self, name: str) -> _Distribution | None:
        found = self._ahead.get(name)
        return None if found is None else d.json_to_distribution(found[0])

    def _check_room(self, name: str, text: str) -> None:
        is_name = isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS and _is_unicode(name)
        if not is_name or name == PRUNE:
            raise ObjectiveError(
                f"{shortened(name)} is not the name of a parameter; use a text of 1 to "
                f"{MAX_NAME_CHARS} characters other than {PRUNE!r}"
            )
        self._chars += len(name) + len(text)
        if len(self._distributions) == MAX_NAMED or self._chars > MAX_NAMED_CHARS:
            raise ObjectiveError(
                f"{name!r} is too much: a trial has at most {MAX_NAMED} parameters, and their "
                f"names and choices at most {MAX_NAMED_CHARS} characters; use shorter choices"
            )

    def _number_of(self, name: str, distribution: _Distribution, text: str) -> float:
        """The value as a number: enqueued, the only one, drawn ahead, drawn here, or asked for."""
        if name in self._fixed:
            number = distribution.to_internal_repr(self._fixed[name])
            if not distribution._contains(number):
                warnings.warn(
                    f"the enqueued value {self._fixed[name]!r} of {name!r} is outside of "
                    f"{distribution}",
                    UserWarning,
                    stacklevel=5,
                )
            return float(number)
        if distribution.single():
            return float(distribution.to_internal_repr(d._get_single_value(distribution)))
        ahead, number = self._ahead.get(name, (None, 0.0))
        if ahead == text:
            return number
        if self._is_random:
            return drawn(distribution, mix(self._running.seed, crc32(name.encode())))
        return self._running.draw(name, text)

    # --- reports --------------------------------------------------------------

    def report(self, value: float, step: int) -> None:
        """Report an intermediate value; `should_prune` then says what came of it."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise TypeError(
                f"report(): the value {shortened(value)} of type {type(value).__name__} is not a "
                f"number"
            ) from None
        try:
            at = int(step)
        except (TypeError, ValueError):
            raise TypeError(
                f"report(): the step {shortened(step)} of type {type(step).__name__} is not a "
                f"whole number"
            ) from None
        if at < 0:
            raise ValueError(f"report(): the step {at} is negative; count steps from 0")
        if at > _MAX_STEP:
            raise ValueError(
                f"report(): the step {shortened(at)} is larger than {_MAX_STEP}; count steps from 0"
            )
        if at in self._steps:
            warnings.warn(
                f"step {at} was reported before; the first report counts", UserWarning, stacklevel=2
            )
            return
        self._steps.add(at)
        following = (0, 1) if self._last_step is None else (self._last_step + 1,)
        self._is_sparse = self._is_sparse or at not in following
        if self._curve.choose(1, MAX_STEPS):
            self._curve.keep([(at, number)], {}, MAX_STEPS)
        else:
            self._curve.skip(1)
        if self._last_step is None or at > self._last_step:  # an earlier step prunes nothing
            self._last_step = at
            self._unsent.append((number, at))

    def should_prune(self) -> bool:
        """Whether to end the trial now, by raising ``TrialPruned``."""
        for value, step in self._unsent:
            self._running.report(value, resource=step, **self._extras(step))
        self._unsent.clear()
        if self._asks and not self._running.should_stop:
            self._ask_pruner()
        return self._running.should_stop and self._running.stopped != "completed"

    def _ask_pruner(self) -> None:
        """Have the pruner decide, and raise what it raises."""
        raised = self._running.ask_pruner(json.dumps({"step": self._last_step}))
        if raised:
            extras = json.loads(raised)
            where = extras.pop(TRACEBACK)
            told = PrunerError(f"the pruner raised in the searcher's process:\n{where}", extras)
            raise raised_as(extras, told)

    def flush(self) -> None:
        """Note the reports after which nobody has asked whether to prune."""
        for value, step in self._unsent:
            self._running.note(value, step, self._extras(step))
        self._unsent.clear()

    def _extras(self, step: int) -> Extras:
        if not self._is_sparse:
            return {**self._own, STEP: step}
        pairs = [(int(at), value) for at, value in self._curve.points()]
        return {**self._own, STEP: step, STEPS: json.dumps(pairs, separators=(",", ":"))}

    @property
    def _own(self) -> Extras:
        return {**self._packed, STOPS: True} if self._study.is_stopped else self._packed

    @property
    def extras(self) -> Extras:
        """What the last message about this trial carries."""
        return self._own if self._last_step is None else self._extras(self._last_step)

    # --- attributes -----------------------------------------------------------

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a value with the trial; it travels with the next report, or with its end."""
        name, plain = packed(key, value)
        if name not in self._packed and len(self._packed) == MAX_ATTRIBUTES:
            raise ObjectiveError(
                f"set_user_attr({key!r}): a trial has at most {MAX_ATTRIBUTES} user attributes; "
                f"put several into a dict"
            )
        self._packed[name] = plain
        self._user_attrs[key] = json.loads(as_json(value))

    def set_system_attr(self, key: str, value: Any) -> NoReturn:
        """Refused: Optuna has deprecated it."""
        raise ObjectiveError(f"set_system_attr({key!r}) is not supported; use set_user_attr")

    def set_constraint(self, key: str, value: float) -> NoReturn:
        """Refused."""
        raise ObjectiveError(
            f"set_constraint({key!r}): constraints are not supported; return a bad value instead"
        )

    @property
    def params(self) -> dict[str, Any]:
        """The values so far, by name."""
        return dict(self._params)

    @property
    def distributions(self) -> dict[str, _Distribution]:
        """What they were drawn from."""
        return dict(self._distributions)

    @property
    def user_attrs(self) -> dict[str, Any]:
        """The attributes that were set."""
        return dict(self._user_attrs)

    @property
    def system_attrs(self) -> dict[str, Any]:
        """The values of an enqueued trial under ``fixed_params``, as in Optuna."""
        return {"fixed_params": dict(self._fixed)} if self._fixed else {}

    @property
    def datetime_start(self) -> datetime.datetime:
        """When the attempt began."""
        return self._start

    @property
    def number(self) -> int:
        """The number of the trial in the study."""
        return self._number

    @property
    def study(self) -> WorkerStudy:
        """The name and the direction of the study, which is in another process, and its end."""
        return self._study


def _is_unicode(name: str) -> bool:
    """Whether ``name`` can travel, as text with half of a surrogate pair cannot."""
    return name.isascii() or name == name.encode(errors="replace").decode()


def _text_of(distribution: _Distribution) -> str:
    is_range = isinstance(distribution, d.FloatDistribution | d.IntDistribution)
    return _range_as_text(distribution) if is_range else d.distribution_to_json(distribution)


def _check_same(name: str, earlier: _Distribution, distribution: _Distribution) -> None:
    """Check that a name keeps its kind of distribution; ValueError, as in Optuna, if not."""
    try:
        d.check_distribution_compatibility(earlier, distribution)
    except ValueError as error:
        raise ValueError(
            f"{name!r} was suggested from {earlier} before, and now from {distribution}: {error} "
            f"Use another name"
        ) from error
