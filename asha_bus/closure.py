"""What an objective captured, and whether it can travel to the workers."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

from asha_bus.core.errors import InvalidArgument

#: Objects of Spark that live on the driver only, by module and name of their class.
_DRIVER_ONLY = frozenset({"SparkContext", "SparkSession", "DataFrame", "RDD", "SQLContext"})

#: Captured objects are followed so deep: the objective itself, what it holds, and on.
_DEPTH = 4


def check_travels(objective: Callable[..., Any], dumps: Callable[[Any], bytes]) -> None:
    """Check that ``objective`` can be sent to workers by ``dumps``.

    InvalidArgument names the captured variable that cannot, if one can be found.
    """
    for path, value in _captured(objective):
        kind = _driver_only(value)
        if kind is not None:
            raise InvalidArgument(
                f"the objective captured a {kind} as {path}; it lives on the driver only. "
                f"Read the data before the launch, or in the objective with another library"
            )
    try:
        dumps(objective)
    except Exception as error:  # pickling runs user code, which may raise anything
        for path, value in _captured(objective):
            if not isinstance(value, types.FunctionType) and not _pickles(value, dumps):
                raise InvalidArgument(
                    f"the objective cannot be sent to the workers: {path} is a "
                    f"{type(value).__name__}, which cannot be pickled ({error}). Make it inside "
                    f"the objective"
                ) from error
        raise InvalidArgument(
            f"the objective cannot be sent to the workers: {error}. Make what cannot be pickled "
            f"(locks, files, connections) inside the objective"
        ) from error


def _pickles(value: Any, dumps: Callable[[Any], bytes]) -> bool:
    try:
        dumps(value)
    except Exception:  # pickling runs user code, which may raise anything
        return False
    return True


def _driver_only(value: Any) -> str | None:
    """The name of the driver-only class that ``value`` is of."""
    for cls in type(value).__mro__:
        if cls.__module__.partition(".")[0] == "pyspark" and cls.__name__ in _DRIVER_ONLY:
            return cls.__name__
    return None


def _captured(objective: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Everything that ``objective`` holds, deepest first, with a name for it."""
    return _walk("the objective", objective, _DEPTH, set())


def _walk(path: str, value: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(value) in seen or isinstance(value, (types.ModuleType, type)):
        return
    seen.add(id(value))
    if depth > 0 and _driver_only(value) is None:
        for name, child in _parts(path, value):
            yield from _walk(name, child, depth - 1, seen)
    yield path, value


def _parts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.MethodType):
        yield from _attributes("self", value.__self__)
        yield from _parts(path, value.__func__)
    elif isinstance(value, types.FunctionType):
        found = inspect.getclosurevars(value)
        for name, child in found.nonlocals.items():
            yield f"the variable {name!r}", child
        for name, child in found.globals.items():
            yield f"the global {name!r}", child
        for name, child in zip(
            inspect.signature(value).parameters, value.__defaults__ or (), strict=False
        ):
            yield f"the default of {name!r}", child
    elif isinstance(value, functools.partial):
        yield path, value.func
        for number, child in enumerate(value.args):
            yield f"argument {number} of the partial", child
        for name, child in value.keywords.items():
            yield f"argument {name!r} of the partial", child
    elif isinstance(value, dict):
        for name, child in list(value.items())[:100]:
            yield f"{path}[{name!r}]", child
    elif isinstance(value, (list, tuple, set)):
        for number, child in enumerate(list(value)[:100]):
            yield f"{path}[{number}]", child
    elif not isinstance(value, (str, bytes, int, float, complex)):
        yield from _attributes(path, value)


def _attributes(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    for name, child in list(getattr(value, "__dict__", {}).items())[:100]:
        yield f"{path}.{name}", child
