"""What an argument must be: the rules of the public API, and the one form of their errors.

A `Rule` says what a value must be, in words and as a function. `check` raises
`InvalidArgument` as in "max_trials must be a whole number of at least 1, got 0": it names the
argument, says what is right and shows what came.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

from asha_bus.core.errors import InvalidArgument

C = TypeVar("C", bound=Callable[..., Any])

#: What arguments are called elsewhere (see docs/glossary.md), and by `launch`, `ASHA` and `TPE`.
_ELSEWHERE = (
    "fn=objective func=objective trainable=objective param_space=space config=space "
    "search_space=space study_name=name experiment_name=name storage=journal "
    "storage_path=journal local_dir=journal direction=mode pruner=scheduler "
    "algo=searcher sampler=searcher search_alg=searcher "
    "n_trials=max_trials num_samples=max_trials max_evals=max_trials "
    "timeout=max_time time_budget_s=max_time loss_threshold=stop_at stop=stop_trial "
    "callbacks=stop_run early_stop_fn=stop_run n_jobs=workers "
    "num_workers=workers parallelism=workers max_concurrent_trials=workers random_state=seed "
    "rstate=seed points_to_evaluate=initial enqueue_trial=initial load_if_exists=resume "
    "max_t=ASHA.max_resource max_resource=ASHA.max_resource grace_period=ASHA.min_resource "
    "eta=ASHA.reduction_factor bootstrap_count=ASHA.quorum n_startup_trials=TPE.n_startup "
    "n_startup_jobs=TPE.n_startup n_EI_candidates=TPE.n_candidates"
)
ELSEWHERE = dict(pair.split("=") for pair in _ELSEWHERE.split())

#: The longest time that may be given: about 30 years.
MAX_SECONDS = 1e9

_MAX_REPR_CHARS = 200
_MAX_PARAMS_CHARS = 2_000
#: How many containers within each other are shown.
_MAX_DEPTH = 20
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


def as_builtin(value: Any) -> Any:
    """A number, bool or text of numpy, or a tensor of one number, as a built-in one.

    Anything else is returned as it is.
    """
    kind = type(value)
    if (
        not (hasattr(kind, "item") and hasattr(kind, "dtype"))
        or getattr(value, "shape", None) != ()
    ):
        return value
    found = value.item()
    return found if type(found) in (int, float, bool, str) else value


def check_fields(given: Any, prefix: str = "") -> None:
    """Check each field of ``given`` by the rule in its type, as in ``Annotated[int, whole(1)]``.

    Each gets numbers of numpy as built-in ones.
    None is right where it is the default. The module of the class must not postpone the
    evaluation of annotations.
    """
    for field in fields(given):
        value = as_builtin(getattr(given, field.name))
        object.__setattr__(given, field.name, value)
        if value is not None or field.default is not None:
            for rule in getattr(field.type, "__metadata__", ()):
                check(f"{prefix}{field.name}", value, rule)


def check_names(
    function: str, given: Iterable[str], known: Iterable[str], instead: Mapping[str, str]
) -> None:
    """InvalidArgument where ``function`` takes no argument of a name that was given.

    ``instead``: what to use for names that users may expect, beside those of other tuners; under
    ``*`` for any other name.
    """
    known = list(known)
    for name in given:
        owner, _, ours = ELSEWHERE.get(name, name).rpartition(".")
        if name in known and name not in instead:
            continue
        use = instead.get(ours, ours if ours in known else instead.get("*", ""))
        if not use and name in ELSEWHERE:
            use = f"{owner or 'launch'}({ours}=...)"
        near = f"; use {use}" if use else did_you_mean(name, known)
        see = f"; see help(asha_bus.{function.removesuffix('()')})"
        raise InvalidArgument(f"{function} takes no {name!r}{near or see}")


def checked(
    instead: Mapping[str, str] | None = None, *, as_written: bool = False
) -> Callable[[C], C]:
    """Make a function or a class answer unknown names as `check_names` does.

    It gets numbers of numpy as built-in ones, unless they are to stay ``as_written``.
    Its signature shows plain types.
    """

    def decorate(callee: C) -> C:
        is_class = isinstance(callee, type)
        function: Callable[..., Any] = getattr(callee, "__init__") if is_class else callee  # noqa: B009
        parameters = inspect.signature(callee).parameters.values()
        known = [
            one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        ]

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            check_names(f"{callee.__name__}()", kwargs, known, instead or {})
            if as_written:
                return function(*args, **kwargs)
            plain = {name: as_builtin(value) for name, value in kwargs.items()}
            return function(*map(as_builtin, args), **plain)

        call.__signature__ = plain_signature(function)  # type: ignore[attr-defined]
        if is_class:
            setattr(callee, "__init__", call)  # noqa: B010 - it is known for instances only
        return callee if is_class else cast(C, call)

    return decorate


def plain_signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of ``function`` without the checks in its types, modules and quotes."""
    found = inspect.signature(function)
    plain = [
        one if one.annotation is one.empty else one.replace(annotation=_Shown(one.annotation))
        for one in found.parameters.values()
    ]
    return found.replace(parameters=plain, return_annotation=_Shown(found.return_annotation))


class _Shown(str):
    """A type as a signature shows it."""

    def __new__(cls, annotation: object) -> _Shown:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        shown = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        return super().__new__(cls, re.sub(r"\b(\w+\.)+", "", shown))

    def __repr__(self) -> str:
        return str(self)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown ``name``: the closest of those ``known``, if any."""
    from difflib import get_close_matches

    return "".join(f"; did you mean {one!r}?" for one in get_close_matches(name, known, 1, 0.7))


def described(thing: object) -> str:
    """The repr of ``thing``; without one of its own, its class and public attributes."""
    cls = type(thing)
    if cls.__repr__ is not object.__repr__:
        return shortened(thing)
    public = {
        name: value for name, value in getattr(thing, "__dict__", {}).items() if name[0] != "_"
    }
    inside = ", ".join(f"{name}={shortened(value)}" for name, value in public.items())
    return f"{cls.__name__}({inside})"[:_MAX_REPR_CHARS]


def shortened(value: object, most: int = _MAX_REPR_CHARS) -> str:
    """The repr of ``value``, at most ``most`` characters of it; where one raises, that it does.

    Built-in containers are read only as far as they are shown, since they may be large.
    """
    return cut(_text(value, most, _MAX_DEPTH), most)


def shown_params(params: object) -> str:
    """The parameters of a trial as a text: 2,000 characters at most, and 200 for an object."""
    return shortened(params, _MAX_PARAMS_CHARS)


def _text(value: Any, room: int, depth: int) -> str:
    """The repr of ``value``; what follows after ``room`` characters may be missing."""
    kind = type(value)
    if kind in (str, bytes):
        return repr(value[: room + 1])
    if kind not in _BRACKETS or not value:
        return _own_text(value)
    opening, closing = _BRACKETS[kind]
    if depth == 0:  # it may hold itself
        return f"{opening}...{closing}"
    parts: list[str] = []
    left = room - len(opening)
    for item in value.items() if kind is dict else value:
        if left < 0:
            break
        if kind is dict:
            key = _text(item[0], left, depth - 1)
            parts.append(f"{key}: {_text(item[1], left - len(key), depth - 1)}")
        else:
            parts.append(_text(item, left, depth - 1))
        left -= len(parts[-1]) + 2
    inside = ", ".join(parts)
    return f"{opening}{inside}{',' if kind is tuple and len(value) == 1 else ''}{closing}"


_BRACKETS: dict[type, tuple[str, str]] = {
    dict: ("{", "}"),
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


def _own_text(value: object) -> str:
    """The repr that the class of ``value`` defines, which may be of any length, or raise."""
    if isinstance(value, functools.partial):  # its repr shows its arguments, secrets and all
        return f"functools.partial({name_of(value)})"
    try:
        return cut(repr(value), _MAX_REPR_CHARS)
    except (Exception, SystemExit) as error:  # a repr is user code, which may raise anything
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def name_of(function: object) -> str:
    """The qualified name of ``function``, or of the function inside a partial, or of the class.

    So it is the same in every process that loads the program. A repr, in contrast, may contain
    an address, megabytes of arguments, or a password.
    """
    while isinstance(function, functools.partial):
        function = function.func
    return own_name(function) or cut(type(function).__qualname__, _MAX_REPR_CHARS)


def own_name(thing: object) -> str | None:
    """The name that a function or a class has of its own; None for other objects."""
    for attribute in ("__qualname__", "__name__"):
        try:
            name = getattr(thing, attribute, None)
        except Exception:  # user code, which may raise anything
            continue
        if name and isinstance(name, str):
            return cut(name, _MAX_REPR_CHARS)
    return None


def cut(text: str, most: int = 1_000) -> str:
    """The first ``most`` characters of ``text``, which somebody else may have written."""
    return text if len(text) <= most else f"{text[:most]}..."
