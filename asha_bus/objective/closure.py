"""Finds what an objective captured, and checks that it can be sent to the workers."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import Func, Space, holds_parameter

#: The names of Spark's classes whose objects exist on the driver only.
_DRIVER_ONLY = frozenset({"SparkContext", "SparkSession", "DataFrame", "RDD", "SQLContext"})

#: How many levels of captured objects are searched, starting with the objective.
_DEPTH = 4


def check_travels(objective: Callable[..., Any], dumps: Callable[[Any], bytes]) -> int:
    """Check that ``dumps`` can pickle ``objective`` for the workers; return the number of bytes.

    Raises `InvalidArgument`, which names the captured variable at fault if it can be found.
    """
    for path, value in _captured(objective):
        kind = _driver_only(value)
        if kind is not None:
            raise InvalidArgument(
                f"the objective captured a {kind} as {path}, which exists on the driver only. "
                f"Read the data before the launch, or in the objective with another library"
            )
    try:
        return len(dumps(objective))
    except Exception as error:  # pickling runs user code, which may raise anything
        for path, value in _captured(objective):
            if not isinstance(value, types.FunctionType) and not _pickles(value, dumps):
                raise InvalidArgument(
                    f"the objective cannot be sent to the workers: {path} is a "
                    f"{type(value).__name__}, which cannot be pickled ({error}). Create it "
                    f"inside the objective"
                ) from error
        raise InvalidArgument(
            f"the objective cannot be sent to the workers: {error}. Create objects that cannot "
            f"be pickled (locks, files, connections) inside the objective"
        ) from error


def check_space_travels(space: Space, dumps: Callable[[Any], bytes]) -> int:
    """Check that the options, constants and funcs of ``space`` can be sent; return the bytes."""
    for name, leaf in space.parameters.items():
        if isinstance(leaf, Func):
            for path, value in _captured(leaf.function):
                if (kind := _driver_only(value)) is not None:
                    raise InvalidArgument(
                        f"the space's func() at {name} captured a {kind} as {path}, which exists "
                        f"on the driver only"
                    )
    try:
        return len(dumps(space))
    except Exception as error:  # pickling runs user code, which may raise anything
        found = [name for name, node in nodes_of(space).items() if not _pickles(node, dumps)]
        where = ", ".join(found) or "a condition of where()"
        raise InvalidArgument(
            f"the space cannot be sent to the workers: {where} holds an object that cannot be "
            f"pickled ({error}). Use a name instead, and create the object in the objective"
        ) from error


def nodes_of(space: Space) -> dict[str, Any]:
    """The parameters of ``space`` by path, and its constants by name."""
    nodes: dict[str, Any] = {**space.parameters}
    for part in space.parts:
        nodes.update({n: node for n, node in part.tree.items() if not holds_parameter(node)})
    return nodes


def _pickles(value: Any, dumps: Callable[[Any], bytes]) -> bool:
    try:
        dumps(value)
    except Exception:  # pickling runs user code, which may raise anything
        return False
    return True


def _driver_only(value: Any) -> str | None:
    """The name of the driver-only class of ``value``, or None."""
    return next((cls.__name__ for cls in type(value).__mro__ if is_driver_only(cls)), None)


def is_driver_only(cls: type) -> bool:
    """Whether ``cls`` is a class of Spark whose objects exist on the driver only."""
    return _is_of_spark(cls) and cls.__name__ in _DRIVER_ONLY


def is_broadcast(value: Any) -> bool:
    """Whether ``value`` is a Spark broadcast, which can be sent although it holds a context."""
    return _is_of_spark(type(value)) and type(value).__name__ == "Broadcast"


def _is_of_spark(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "pyspark"


def _captured(objective: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Everything that ``objective`` captured, with a name for each, deepest first."""
    return _walk("the objective", objective, _DEPTH, set())


def _walk(path: str, value: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(value) in seen or isinstance(value, (types.ModuleType, type)):
        return
    seen.add(id(value))
    if depth > 0 and _driver_only(value) is None and not is_broadcast(value):
        for name, child in _parts(path, value):
            yield from _walk(name, child, depth - 1, seen)
    yield path, value


def parts_of_objective(objective: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """What ``objective`` itself captured, with a name for each."""
    return _parts("the objective", objective)


def _parts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.MethodType):
        yield from _attributes("self", value.__self__)
        yield from _parts(path, value.__func__)
    elif isinstance(value, types.FunctionType):
        yield from _variables(value)
    elif isinstance(value, functools.partial):
        yield path, value.func
        for number, child in enumerate(value.args):
            yield f"argument {number} of the partial", child
        for name, child in value.keywords.items():
            yield f"argument {name!r} of the partial", child
    elif isinstance(value, dict):
        for name, child in list(value.items())[:100]:
            yield f"{path}[{shortened(name)}]", child
    elif isinstance(value, (list, tuple, set)):
        for number, child in enumerate(list(value)[:100]):
            yield f"{path}[{number}]", child
    elif not isinstance(value, (str, bytes, int, float, complex)):
        yield from _attributes(path, value)


def _variables(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"the variable {name!r}", cell.cell_contents
        except ValueError:
            continue  # not assigned yet
    for name in sorted(_global_names(code)):
        if name in function.__globals__:
            yield f"the global {name!r}", function.__globals__[name]
    defaults = function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    named = zip(positional[len(positional) - len(defaults) :], defaults, strict=True)
    for name, child in (*named, *(function.__kwdefaults__ or {}).items()):
        yield f"the default of {name!r}", child


def _global_names(code: types.CodeType) -> set[str]:
    """The globals (not attributes) that ``code`` and the functions inside it read."""
    found = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _global_names(constant)
    return found


def imported_by(objective: Callable[..., Any]) -> set[str]:
    """The modules that ``objective`` and the functions that it captured import at run time."""
    codes = [v.__code__ for _, v in _captured(objective) if isinstance(v, types.FunctionType)]
    found = set()
    while codes:
        code = codes.pop()
        found |= {i.argval for i in dis.get_instructions(code) if i.opname == "IMPORT_NAME"}
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return found


def _attributes(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    for name, child in list(getattr(value, "__dict__", {}).items())[:100]:
        yield f"{path}.{name}", child
