"""What an objective is, and what it may give back."""

from __future__ import annotations

import functools
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import Enum
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.core.space import Space
from asha_bus.formats.wire import MAX_EXTRA_CHARS, MAX_EXTRAS, MAX_NAME_CHARS, is_extras

#: Whole floats below this are exact.
_MAX_WHOLE = 2.0**53

#: Set in a worker while the user's code runs there.
INSIDE = threading.Event()


class TrialFailed(ObjectiveError):
    """Raised by an objective that fails its own trial; ``extras`` are kept with the trial."""

    def __init__(self, message: str, extras: dict[str, Any]) -> None:
        super().__init__(message)
        self.extras = extras


class Shape(str, Enum):
    """The three shapes of an objective."""

    FUNCTION = "function"  #: returns a number
    GENERATOR = "generator"  #: yields a number per unit of resource
    TRIAL = "trial"  #: takes a `Trial` and reports by hand


class Trial(ABC):
    """What an objective of the third shape gets as its argument ``trial``.

    ::

        def train(trial):
            model = build(**trial.params)
            for step in trial:                  # ends by itself when stopped
                trial.report(model.fit_one_epoch())
    """

    #: The number of the trial within the run, from 0.
    id: int
    #: The attempt at it, from 1; more where a worker was lost, or an attempt failed.
    attempt: int
    #: A number for the user's own generators, the same for every attempt.
    seed: int
    #: Which of the repeats of its configuration it is, from 0: the fold to leave out, for
    #: instance; always 0 without ``launch(repeats=...)``.
    repeat: int
    #: The parameters, as the space writes them.
    params: dict[str, Any]

    @property
    @abstractmethod
    def should_stop(self) -> bool:
        """Whether the trial was told to stop."""

    @abstractmethod
    def report(self, metric: Any, resource: Any = None, **extras: Any) -> bool:
        """Report ``metric`` at ``resource`` and learn whether to go on.

        ``resource`` None counts reports by itself, from 1; given by hand it must
        grow: a repeat is left out with a warning. ``extras`` are at most 64 plain
        values that are kept with the trial. Returns True to go on, False to stop.
        Raises `ObjectiveError` where the metric is no number.
        """

    @abstractmethod
    def log(self, text: str) -> None:
        """Send a line to the driver: to the run's logger, and to the trial's ``log``."""

    @abstractmethod
    def __iter__(self) -> Iterator[int]:
        """Steps from 0 on, until the trial is stopped."""


def shape_of(objective: object) -> Shape:
    """Which shape ``objective`` has; InvalidArgument where it has none."""
    if not callable(objective):
        raise InvalidArgument(
            f"objective must be a function, got {objective!r} of type {type(objective).__name__}"
        )
    if inspect.isclass(objective):
        raise InvalidArgument(
            f"objective must be a function, got the class {objective.__name__}; "
            f"pass an instance with __call__, or a function"
        )
    function = _underlying(objective)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidArgument(
            f"objective {name_of(objective)} is asynchronous; write a plain function, "
            f"which may run asyncio.run() inside"
        )
    parameters = list(_parameters(objective))
    takes_trial = bool(parameters) and parameters[0].name == "trial"
    if is_generator(objective):
        if takes_trial:
            raise InvalidArgument(
                f"objective {name_of(objective)} takes trial and yields; either report by "
                f"trial.report(...), or take the parameters and yield"
            )
        return Shape.GENERATOR
    return Shape.TRIAL if takes_trial else Shape.FUNCTION


def is_generator(objective: Callable[..., Any]) -> bool:
    """Whether calling ``objective`` makes a generator, as far as can be seen."""
    return inspect.isgeneratorfunction(_underlying(objective))


def check_takes(objective: Callable[..., Any], space: Space, data: Collection[str] = ()) -> None:
    """Check that an objective can be called with any configuration of ``space``.

    ``data``: what it is called with besides, by name. InvalidArgument if it cannot be.
    """
    for name in data:
        if name == "trial" or any(name in member.names for member in space.members):
            raise InvalidArgument(
                f"data has {name!r}, which is a name of the space or of the trial, too; rename it"
            )
        _check_takes_data(objective, name)
    if space.is_positional:
        _check_takes_one(objective, data)
        return
    members = space.members
    for number, member in enumerate(members):
        which = f"member {number} of the space" if len(members) > 1 else "the space"
        check_parameters(objective, member.names, which, data)


def _check_takes_data(objective: Callable[..., Any], name: str) -> None:
    for parameter in _parameters(objective):
        if parameter.kind is parameter.VAR_KEYWORD:
            return
        if parameter.name == name and parameter.kind is not parameter.POSITIONAL_ONLY:
            return
    raise InvalidArgument(
        f"data has {name!r}, which objective {name_of(objective)} does not take; add it to the "
        f"function, or remove it from data"
    )


def _check_takes_one(objective: Callable[..., Any], data: Collection[str]) -> None:
    """Check that an objective takes one argument by position; a trial holds it by name."""
    if shape_of(objective) is Shape.TRIAL:
        check_parameters(objective, [], data=data)
        return
    parameters = [p for p in _parameters(objective) if p.name not in data]
    takes_one = any(p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters[:1])
    if not takes_one or any(map(_is_required, parameters[1:])):
        raise InvalidArgument(
            f"objective {name_of(objective)} must take one argument by position, since the space "
            f"is no dict; it takes {', '.join(p.name for p in parameters) or 'nothing'}"
        )


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variable


def check_parameters(
    objective: Callable[..., Any],
    names: Sequence[str],
    which: str = "the space",
    data: Collection[str] = (),
) -> None:
    """Check that an objective can be called with ``names``; InvalidArgument if not.

    ``which``: what has these names. ``data``: names that it gets besides.
    """
    if shape_of(objective) is Shape.TRIAL:
        required = [
            parameter.name
            for parameter in list(_parameters(objective))[1:]
            if _is_required(parameter) and parameter.name not in data
        ]
        if required:
            raise InvalidArgument(
                f"objective {name_of(objective)} takes trial and also requires "
                f"{', '.join(required)}; find them in trial.params, or give them as data"
            )
        return
    accepted: set[str] = set()
    for parameter in _parameters(objective):
        if parameter.kind is parameter.VAR_KEYWORD:
            accepted.update(names)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            if parameter.default is parameter.empty:
                raise InvalidArgument(
                    f"objective {name_of(objective)} takes {parameter.name} by position only, but "
                    f"parameters are passed by name; remove the / from its signature"
                )
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            accepted.add(parameter.name)
            is_given = parameter.name in names or parameter.name in data
            if parameter.default is parameter.empty and not is_given:
                raise InvalidArgument(
                    f"objective {name_of(objective)} requires {parameter.name}, which {which} "
                    f"lacks (it has {', '.join(names)}); add it to the space or give it a default"
                )
    for name in names:
        if name not in accepted:
            raise InvalidArgument(
                f"{which} has {name}, which objective {name_of(objective)} does not take; add it "
                f"to the function, or **params, or remove it from the space"
            )


def to_metric(value: Any) -> float:
    """``value`` as a built-in float; ObjectiveError where it is no single number.

    Takes int, float, numpy scalars, arrays and tensors of one element, Decimal and
    Fraction. NaN and infinities are taken as they are.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    try:
        if kind is int:
            return float(value)
        if not isinstance(value, (bool, str, bytes, bytearray, complex)) and value is not None:
            item = getattr(value, "item", None)
            single = item() if callable(item) else value
            if not isinstance(single, (bool, str, bytes, complex)) and hasattr(single, "__float__"):
                return float(single)
    except (TypeError, ValueError, OverflowError, RuntimeError, ArithmeticError) as error:
        raise ObjectiveError(f"{_shown(value)} is no metric: {error}") from error
    raise ObjectiveError(
        f"{_shown(value)} is no metric; give back one number (int, float, a numpy scalar, "
        f"a one-element array or tensor)"
    )


def to_resource(value: Any) -> float | None:
    """A resource given by hand as an int where it is whole, else a float; None as it is."""
    if value is None or (type(value) is int and abs(value) < _MAX_WHOLE):
        return value
    try:
        number = to_metric(value)
    except ObjectiveError as error:
        raise ObjectiveError(f"report(resource={_shown(value)}): a resource is a number") from error
    is_whole = abs(number) < _MAX_WHOLE and number == int(number)
    return int(number) if is_whole else number


def to_extras(extras: dict[str, Any]) -> dict[str, Any]:
    """``extras`` in plain values, numbers of other kinds as floats; ObjectiveError if too many."""
    if not extras or is_extras(extras):
        return extras
    if len(extras) > MAX_EXTRAS:
        raise ObjectiveError(f"{len(extras)} extras are more than {MAX_EXTRAS}; report fewer")
    plain: dict[str, Any] = {}
    for name, value in extras.items():
        if is_extras({name: value}):
            plain[name] = value
            continue
        if not is_extras({name: None}):
            raise ObjectiveError(
                f"{_shown(name)} is no name of an extra; "
                f"use a text of 1 to {MAX_NAME_CHARS} characters"
            )
        try:
            plain[name] = to_metric(value)
        except ObjectiveError as error:
            raise ObjectiveError(
                f"extra {name!r} is {_shown(value)}; extras are named numbers, texts of at most "
                f"{MAX_EXTRA_CHARS} characters, booleans or None"
            ) from error
    return plain


def to_metric_and_extras(value: Any) -> tuple[float, dict[str, Any]]:
    """What an objective returned or yielded: a number, or a number and a dict."""
    if type(value) is tuple and len(value) == 2 and isinstance(value[1], dict):
        return to_metric(value[0]), to_extras(value[1])
    return to_metric(value), {}


def _shown(value: Any) -> str:
    return f"{shortened(value)} of type {type(value).__name__}"


def _underlying(objective: Any) -> Any:
    """The function behind partials and callable objects."""
    while isinstance(objective, functools.partial):
        objective = objective.func
    if inspect.isroutine(objective):
        return objective
    return type(objective).__call__


def _parameters(objective: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(objective).parameters.values())
    except (TypeError, ValueError):  # some built-ins have no signature: take anything
        return [inspect.Parameter("params", inspect.Parameter.VAR_KEYWORD)]


def name_of(objective: object) -> str:
    """What an objective is called: in errors, and in a journal."""
    return getattr(objective, "__qualname__", None) or repr(objective)
