"""Carries the exceptions that objectives raised to the program, by name and text.

No pickle is read, and nothing is imported because a worker names it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from numbers import Integral
from types import ModuleType
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import ObjectiveError
from asha_bus.formats.wire import MAX_EXTRA_CHARS
from asha_bus.objective.kinds import TrialFailed

#: The extras that name what an objective raised: type (``module:qualified name``), text, and the
#: JSON of its arguments where they are more than a text: `KeyError(3)` is no ``KeyError("3")``.
RAISED_TYPE, RAISED_TEXT, RAISED_ARGS = RAISED = "_raised_type", "_raised_text", "_raised_args"


def failed_by(error: Exception, name: str | None = None) -> TrialFailed:
    """What fails a trial whose objective raised ``error``; raise it from that.

    ``name``: of another type to raise in the program. None: that of ``error``.
    """
    kind = type(error)
    try:
        is_text = len(error.args) == 1 and isinstance(error.args[0], str)
        text = error.args[0] if is_text else str(error)
        more = None if is_text or not error.args else _plain_json(error.args)
    # its args and its __str__ are user code, which may exit
    except (Exception, SystemExit) as unprintable:
        text, more = f"its text is not available: {shortened(unprintable)}", None
    name = name or f"{kind.__module__}:{kind.__qualname__}"
    extras = {RAISED_TYPE: _within(name), RAISED_TEXT: _within(text)}
    return TrialFailed(name, extras if more is None else {**extras, RAISED_ARGS: more})


def exception_of(extras: Mapping[str, Any]) -> Exception | None:
    """What the objective raised in the trial with these ``extras``, of its own type.

    None unless that type is here already and takes these arguments, or a text: a built-in
    exception, or one of a module that this program has imported.
    """
    name, text = extras.get(RAISED_TYPE), extras.get(RAISED_TEXT)
    if not isinstance(name, str) or not isinstance(text, str):
        return None
    kind = _imported(*name.partition(":")[::2])
    if kind is None:
        return None
    args = _args_of(extras.get(RAISED_ARGS))
    return (_made(kind, args, text) if args else None) or _made(kind, (text,) if text else (), text)


def raised_as(extras: Mapping[str, Any], told: ObjectiveError) -> Exception:
    """What to raise for the trial with these ``extras``: as `exception_of`, caused by ``told``.

    Without such an exception, ``told`` itself.
    """
    error = exception_of(extras)
    if error is None:
        return told
    error.__cause__ = told
    return error


def _made(kind: type[Exception], args: tuple[Any, ...], text: str) -> Exception | None:
    """An exception of ``args`` that says ``text``; None if there is none."""
    try:
        error = kind(*args)
        is_same = type(error) is kind and (error.args == (args or (text,)) or str(error) == text)
    # the constructor is user code, which may want more, or exit
    except (Exception, SystemExit):
        return None
    return error if is_same else None


def _plain_json(args: tuple[Any, ...]) -> str | None:
    """``args`` as JSON, with an array for each tuple; None if one is not plain, or all too long."""
    try:
        text = json.dumps(_plain(args))
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= MAX_EXTRA_CHARS else None


def _plain(value: Any) -> Any:
    if type(value) is tuple:
        return list(map(_plain, value))
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Integral):  # of numpy, as keys of pandas are
        return int(value)
    raise TypeError(f"{type(value).__name__} is not plain")


def _args_of(text: object) -> tuple[Any, ...]:
    """The arguments that `_plain_json` described; empty without any."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
        return _tuples(found) if isinstance(found, list) else ()
    except (ValueError, TypeError, RecursionError):  # somebody else made it
        return ()


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        raise TypeError("no argument is a dict")
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _imported(module: str, qualified: str) -> type[Exception] | None:
    """The exception class of that name in a module that is imported; None if there is none."""
    found: Any = sys.modules.get(module)
    for name in qualified.split("."):
        # a plain look: a __getattr__ may import something, and a __class__ may not be true
        if issubclass(type(found), ModuleType):
            found = ModuleType.__getattribute__(found, "__dict__").get(name)
        elif issubclass(type(found), type):
            found = type.__getattribute__(found, "__dict__").get(name)
        else:
            return None
    return found if issubclass(type(found), type) and issubclass(found, Exception) else None


def _within(text: str) -> str:
    """``text`` as it fits into an extra."""
    return text.encode(errors="replace").decode()[:MAX_EXTRA_CHARS]
