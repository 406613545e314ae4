"""What is behind an objective: decorators, partials, and the kind that its author declares."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from asha_bus.core.checks import name_of, shortened
from asha_bus.core.errors import InvalidArgument

#: More decorators than this are an object that answers to any name.
_MAX_LAYERS = 100


class Shape(str, Enum):
    """The three kinds of objectives."""

    FUNCTION = "function"  #: returns a number
    GENERATOR = "generator"  #: yields a number per unit of resource
    TRIAL = "trial"  #: takes a `Trial` and reports through it


class DeclaredObjective:
    """An objective whose kind is declared; see `objective_kind`."""

    def __init__(self, function: Callable[..., Any], shape: Shape) -> None:
        self.function, self.shape = function, shape
        self.__qualname__ = name_of(function)
        self.__module__ = getattr(function, "__module__", None) or type(self).__module__

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Call the function."""
        return self.function(*args, **params)

    def __reduce__(self) -> Any:
        # a worker imports what a module holds by this name, as it does a plain function
        is_whole = _is_sent_whole(self.__module__)
        held: Any = None if is_whole else sys.modules.get(self.__module__)
        for part in self.__qualname__.split("."):
            held = getattr(held, part, None)
        return self.__qualname__ if held is self else (type(self), (self.function, self.shape))


def _is_sent_whole(module: str) -> bool:
    """Whether what ``module`` defines is sent to workers as a whole, not by its name."""
    names = {"__main__"}
    for pickler in ("cloudpickle", "pyspark.cloudpickle"):
        names |= getattr(sys.modules.get(pickler), "list_registry_pickle_by_value", set)()
    return any(module == name or module.startswith(f"{name}.") for name in names)


def objective_kind(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the kind of an objective, so that its signature is not looked at.

    asha-bus recognizes the kind of an objective by its form. This overrules it, where a decorator
    without `functools.wraps` or a compiled function hides that form, or a decorator changes the
    arguments.

    Args:
        kind: ``"function"`` for one that returns a metric, ``"generator"`` for one that yields
            or returns an iterator of metrics, ``"trial"`` for one whose first argument is the
            trial. The first two get the parameters by name.

    Returns:
        A decorator. What it makes can be called like the function.

    Raises:
        InvalidArgument: ``kind`` is not one of the three, or what is decorated is not a function.

    Example:
        >>> @ab.objective_kind("trial")
        ... @timed  # its wrapper takes *args and **kwargs
        ... def train(trial):
        ...     trial.report(0.5)
    """
    kinds = [shape.value for shape in Shape]
    if kind not in kinds:
        raise InvalidArgument(f"objective_kind: kind is {kind!r}; use one of {', '.join(kinds)}")

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function):
            raise InvalidArgument(
                f"objective_kind({kind!r}) decorates a function, got {shortened(function)} of type "
                f"{type(function).__name__}"
            )
        return DeclaredObjective(function, Shape(kind))

    return declare


def declared_shape(objective: object) -> Shape | None:
    """The kind that is declared for ``objective``; None: it is to be recognized."""
    found = (each for each, _ in _layers(objective) if isinstance(each, DeclaredObjective))
    declared = next(found, None)
    return None if declared is None else declared.shape


def is_generator(objective: object) -> bool:
    """Whether ``objective``, or what is behind it, is a generator function."""
    shape = declared_shape(objective)
    if shape is not None:
        return shape is Shape.GENERATOR
    return any(inspect.isgeneratorfunction(each) for each, _ in _layers(objective))


def is_asynchronous(objective: object) -> bool:
    """Whether a call of ``objective`` returns something that must be awaited.

    A decorator may do that for the function that it wraps, so this one is not looked at.
    """
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each, is_wrapped in _layers(objective)
        if not is_wrapped
    )


def parameters_of(objective: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of ``objective``; any if it has no signature, or its kind is declared."""
    shape = declared_shape(objective)
    if shape is None:
        try:
            return list(inspect.signature(objective).parameters.values())
        except Exception:  # a function of native code, or attributes that raise anything
            return _ANYTHING
    return [_TRIAL, *_ANYTHING] if shape is Shape.TRIAL else _ANYTHING


_TRIAL = inspect.Parameter("trial", inspect.Parameter.POSITIONAL_ONLY)
_ANYTHING = [
    inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
    inspect.Parameter("params", inspect.Parameter.VAR_KEYWORD),
]


def is_decorated(objective: object) -> bool:
    """Whether ``objective`` shows the signature of a function that it wraps."""
    return any(is_wrapped for _, is_wrapped in _layers(objective))


def _layers(objective: Any) -> Iterator[tuple[Any, bool]]:
    """``objective`` and what it calls, outermost first, and whether `functools.wraps` says so."""
    is_wrapped = False
    for _ in range(_MAX_LAYERS):
        yield objective, is_wrapped
        method = _partialmethod_of(objective)
        if isinstance(objective, functools.partial):
            objective = objective.func
        elif isinstance(objective, DeclaredObjective):
            objective = objective.function
        elif method is not None:
            objective = method.func
        elif callable(wrapped := getattr(objective, "__wrapped__", None)):
            objective, is_wrapped = wrapped, True
        elif not inspect.isroutine(objective):
            objective = type(objective).__call__
        else:
            return


def _partialmethod_of(objective: object) -> functools.partialmethod[Any] | None:
    """The `functools.partialmethod` that made ``objective``, a function or method."""
    for name in ("__partialmethod__", "_partialmethod"):  # since Python 3.13, and before
        found = getattr(objective, name, None)
        if isinstance(found, functools.partialmethod):
            return found
    return None
