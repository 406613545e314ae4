"""Converts parameters, as a user or a searcher gives them, into the numbers of a point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space.contents import children, joined
from asha_bus.core.space.layout import Numbers, Values, flatten, walk
from asha_bus.core.space.member import Member
from asha_bus.core.space.options import Func, Options, is_same
from asha_bus.core.space.parameter import Parameter
from asha_bus.core.space.ranges import Number

#: Marks a value that was not given.
_MISSING = object()


def match(
    member: Member, params: Mapping[str, Any], branch: int | None, is_exact: bool = False
) -> Numbers:
    """The numbers whose values are ``params``, in the order of a point.

    ``params`` may omit what level-1 configuration ``branch`` fixes. It may also omit
    constants and values of funcs, unless ``is_exact``. A parameter that only funcs use is
    given by its path.
    Raises `InvalidArgument`, which names what is missing, unknown or out of range.
    """
    known = {} if branch is None else member.fixed(branch)
    seen = {place.leaf for place in member.places}
    hidden = {s.path: s.parameter for s in walk(member.slots) if s.parameter not in seen}
    for name in params:
        if name not in member.tree and name not in hidden:
            raise InvalidArgument(
                f"the space has no {shortened(name)} (it has "
                f"{', '.join(map(str, member.tree))}); remove it, or use one of these names"
            )
    for name, node in {**hidden, **member.tree}.items():
        _match(name, node, params.get(name, _MISSING), known)
    if branch is None:
        member.complete(known, lambda tree, numbers: _fits(tree, numbers, params))
    if is_exact:
        _check_complete("", member.tree, params, is_exact)
    numbers: Numbers = {}
    flatten(member.slots, known, numbers)
    _check_computed(member.tree, params, numbers)
    member.branch_of(numbers)  # raises if a condition of where() is false
    return numbers


def _fits(tree: dict[str, Any], numbers: Numbers, params: Mapping[str, Any]) -> bool:
    """Whether ``numbers`` agree with all values that ``params`` gives."""
    try:
        for name, node in tree.items():
            _match(name, node, params.get(name, _MISSING), dict(numbers))
    except InvalidArgument:
        return False
    return True


def _match(path: str, node: Any, value: Any, known: Numbers) -> None:
    """Add to ``known`` the numbers for which ``node`` resolves to ``value``."""
    if value is _MISSING:
        return  # `flatten` raises if it is needed
    if isinstance(node, Parameter):
        _match_parameter(path, node, value, known)
    elif type(node) is dict:
        if not isinstance(value, Mapping):
            raise InvalidArgument(f"{path} must be a dict, got {shortened(value)}")
        for key in value:
            if key not in node:
                raise InvalidArgument(
                    f"{path} has no {shortened(key)} (it has {', '.join(map(str, node))})"
                )
        for key, child in node.items():
            _match(f"{path}.{key}", child, value.get(key, _MISSING), known)
    elif type(node) in (list, tuple):
        if not isinstance(value, (list, tuple)) or len(value) != len(node):
            raise InvalidArgument(f"{path} must be a list of {len(node)}, got {shortened(value)}")
        for i, child in enumerate(node):
            _match(f"{path}[{i}]", child, value[i], known)
    elif not isinstance(node, Func) and not is_same(node, value):
        raise InvalidArgument(f"{path} is {shortened(node)} in this space, got {shortened(value)}")


def _match_parameter(path: str, parameter: Parameter, value: Any, known: Numbers) -> None:
    if parameter in known and isinstance(parameter, Options):
        index = int(known[parameter])
        if index in parameter.nested:
            _match(f"{path}:{index}", parameter.options[index], value, known)
        elif not is_same(parameter.options[index], value):
            raise _conflict(path, parameter, value, known)
        return
    try:
        number = parameter.number_of(value)
    except InvalidArgument as error:
        if not isinstance(parameter, Options) or not parameter.nested:
            raise InvalidArgument(f"{path}: {error}") from error
        number = _match_nested(path, parameter, value, known)
    if not math.isclose(known.setdefault(parameter, number), number, rel_tol=1e-9):
        raise _conflict(path, parameter, value, known)


def _conflict(path: str, parameter: Parameter, value: Any, known: Numbers) -> InvalidArgument:
    return InvalidArgument(
        f"{path} is {shortened(value)}, but the same parameter is "
        f"{shortened(parameter.resolve(known[parameter]))} in another place; give one value"
    )


def _match_nested(path: str, parameter: Options, value: Any, known: Numbers) -> int:
    """The index of the first sub-space that matches ``value``, exactly or else loosely."""
    problems: list[str] = []
    for is_exact in (True, False):
        problems.clear()
        for i in sorted(parameter.nested):
            place, option = f"{path}:{i}", parameter.options[i]
            found = {**known, parameter: i}
            try:
                _match(place, option, value, found)
                _check_complete(place, option, value, is_exact)
            except InvalidArgument as error:
                problems.append(str(error))
                continue
            known.update(found)
            return i
    raise InvalidArgument(f"{path}: {shortened(value)} matches no option: {'; '.join(problems)}")


def _check_complete(path: str, node: Any, value: Any, is_exact: bool) -> None:
    """Raise `InvalidArgument` if ``value`` lacks a parameter of ``node``.

    With ``is_exact``, also raise if it lacks a constant or a func, has a list in place of a
    tuple, or an int in place of a float.
    """
    if is_exact and isinstance(node, Number):
        kind = type(node.resolve(node.number_of(value)))
        if type(value) is not kind:
            raise InvalidArgument(f"{path} must be of type {kind.__name__}, got {shortened(value)}")
    if type(node) is dict:
        for key, child in node.items():
            place = joined(path, f".{key}")
            if key in value:
                _check_complete(place, child, value[key], is_exact)
            elif is_exact or isinstance(child, Parameter):
                raise InvalidArgument(f"{place} is missing")
    elif type(node) in (list, tuple):
        if is_exact and type(value) is not type(node):
            raise InvalidArgument(f"{path} must be a {type(node).__name__}, got {shortened(value)}")
        for i, child in enumerate(node):
            _check_complete(f"{path}[{i}]", child, value[i], is_exact)


def _check_computed(tree: Any, params: Mapping[str, Any], numbers: Numbers) -> None:
    """Raise `InvalidArgument` if a plain value given for a func differs from its result."""
    values = Values(numbers, shown=True)

    def check(path: str, node: Any, value: Any) -> None:
        if isinstance(node, Func):
            if isinstance(value, (bool, int, float, str)) and not is_same(values.of(node), value):
                raise InvalidArgument(
                    f"{path} is computed as {shortened(values.of(node))}, but {shortened(value)} "
                    f"was given; remove it"
                )
        elif isinstance(node, Options):
            index = int(numbers[node])
            if index in node.nested:
                check(f"{path}:{index}", node.options[index], value)
        elif type(node) is dict:
            for key, child in node.items():
                if key in value:
                    check(joined(path, f".{key}"), child, value[key])
        else:
            for i, (_, child) in enumerate(children(node) or ()):
                check(f"{path}[{i}]", child, value[i])

    check("", tree, params)
