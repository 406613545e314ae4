"""What an argument must be: the rules of the public API, and the one form of their errors.

A `Rule` says what a value must be, in words and as a function. `check` raises
`InvalidArgument` as in "max_trials must be a whole number of at least 1, got 0": it names the
argument, says what is right and shows what came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from asha_bus.core.errors import InvalidArgument

#: The longest time that may be given: about 30 years.
MAX_SECONDS = 1e9

_MAX_REPR_CHARS = 200
_MAX_WHOLE = 2**63 - 1


@dataclass(frozen=True)
class Rule:
    """What a value must be."""

    #: What stands after "must be".
    words: str
    #: Whether a value of one of ``types`` is right; None: each is.
    holds: Callable[[Any], bool] | None = None
    #: A bool is not taken for an int here.
    types: tuple[type, ...] = (object,)

    def is_of_type(self, value: object) -> bool:
        """Whether ``value`` has one of the types."""
        is_disguised = isinstance(value, bool) and int in self.types and bool not in self.types
        return isinstance(value, self.types) and not is_disguised


def whole(least: int, most: int = _MAX_WHOLE) -> Rule:
    """A whole number from ``least`` to ``most``, both included."""
    bounds = f"of at least {least}" if most == _MAX_WHOLE else f"from {least} to {most}"
    return Rule(f"a whole number {bounds}", lambda value: least <= value <= most, (int,))


def one_of(literal: Any) -> Rule:
    """One of the texts of a `typing.Literal`."""
    *others, last = map(repr, get_args(literal))
    words = f"{', '.join(others)} or {last}"
    return Rule(words, lambda value: value in get_args(literal), (str,))


def text(words: str) -> Rule:
    """A text that is not empty."""
    return Rule(words, bool, (str,))


ANY_WHOLE = Rule("a whole number or None", types=(int,))
ABOVE_0 = Rule("a number above 0", lambda value: 0 < value < float("inf"), (int, float))
SHARE = Rule("a number from 0 to 1", lambda value: 0 <= value <= 1, (int, float))
SECONDS = Rule(
    "a number of seconds above 0 and at most 1e9",
    lambda value: 0 < value <= MAX_SECONDS,
    (int, float),
)
SWITCH = Rule("True or False", types=(bool,))
PORT = whole(0, 65_535)
PATH = Rule(
    "the path of a file", lambda value: isinstance(value, str) or hasattr(value, "__fspath__")
)


def check(argument: str, value: object, rule: Rule) -> None:
    """InvalidArgument where ``value`` is not what ``rule`` says ``argument`` must be."""
    is_of_type = rule.is_of_type(value)
    if is_of_type and (rule.holds is None or rule.holds(value)):
        return
    got = shortened(value)
    if isinstance(value, type) and object in rule.types:
        got = f"the class {value.__name__}: give {value.__name__}(...)"
    elif not is_of_type and value is not None:
        got += f" of type {type(value).__name__}"
    raise InvalidArgument(f"{argument} must be {rule.words}, got {got}")


def check_fields(given: Any, prefix: str = "") -> None:
    """Check each field of ``given`` by the rule in its type, as in ``Annotated[int, whole(1)]``.

    None is right where it is the default. The module of the class must not postpone the
    evaluation of annotations.
    """
    for field in fields(given):
        value = getattr(given, field.name)
        if value is not None or field.default is not None:
            for rule in getattr(field.type, "__metadata__", ()):
                check(f"{prefix}{field.name}", value, rule)


def check_names(
    function: str, given: Iterable[str], known: Iterable[str], instead: Mapping[str, str]
) -> None:
    """InvalidArgument where ``function`` takes no argument of a name that was given.

    ``instead``: what to use for names that users may expect.
    """
    known = list(known)
    for name in given:
        if name in instead:
            raise InvalidArgument(f"{function} takes no {name}; use {instead[name]}")
        if name not in known:
            raise InvalidArgument(f"{function} takes no {name!r}{did_you_mean(name, known)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown ``name``: the closest of those ``known``, if any."""
    from difflib import get_close_matches

    return "".join(f"; did you mean {one!r}?" for one in get_close_matches(name, known, 1, 0.7))


def shortened(value: object) -> str:
    """The repr of ``value``, 200 characters at most; where it raises, that it does."""
    try:
        found = repr(value)
    except Exception as error:  # a repr is user code, which may raise anything
        found = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    return found if len(found) <= _MAX_REPR_CHARS else found[:_MAX_REPR_CHARS] + "..."
