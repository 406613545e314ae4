"""Carries the exceptions that objectives raised to the program, by name and text.

No pickle is read, and nothing is imported because a worker names it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import ObjectiveError
from asha_bus.formats.wire import MAX_EXTRA_CHARS
from asha_bus.objective.kinds import TrialFailed

#: The extras that name what an objective raised: type (``module:qualified name``) and text.
RAISED_TYPE, RAISED_TEXT = "_raised_type", "_raised_text"


def failed_by(error: Exception, name: str | None = None) -> TrialFailed:
    """What fails a trial whose objective raised ``error``; raise it from that.

    ``name``: of another type to raise in the program. None: that of ``error``.
    """
    kind = type(error)
    try:
        is_text = len(error.args) == 1 and isinstance(error.args[0], str)
        text = error.args[0] if is_text else str(error)
    # its args and its __str__ are user code, which may exit
    except (Exception, SystemExit) as unprintable:
        text = f"its text is not available: {shortened(unprintable)}"
    name = name or f"{kind.__module__}:{kind.__qualname__}"
    return TrialFailed(name, {RAISED_TYPE: _within(name), RAISED_TEXT: _within(text)})


def exception_of(extras: Mapping[str, Any]) -> Exception | None:
    """What the objective raised in the trial with these ``extras``, of its own type.

    None unless that type is here already and takes a text: a built-in exception, or one of a
    module that this program has imported.
    """
    name, text = extras.get(RAISED_TYPE), extras.get(RAISED_TEXT)
    if not isinstance(name, str) or not isinstance(text, str):
        return None
    kind = _imported(*name.partition(":")[::2])
    if kind is None:
        return None
    try:
        error = kind(text) if text else kind()
        is_same = type(error) is kind and (error.args == (text,) or str(error) == text)
    # the constructor is user code, which may want more, or exit
    except (Exception, SystemExit):
        return None
    return error if is_same else None


def raised_as(extras: Mapping[str, Any], told: ObjectiveError) -> Exception:
    """What to raise for the trial with these ``extras``: as `exception_of`, caused by ``told``.

    Without such an exception, ``told`` itself.
    """
    error = exception_of(extras)
    if error is None:
        return told
    error.__cause__ = told
    return error


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
