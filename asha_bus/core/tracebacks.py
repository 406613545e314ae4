"""Tracebacks as users read them: with their own frames, and without those of asha-bus."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import ParamSpec, TypeVar

from asha_bus.core.errors import AshaBusError

P = ParamSpec("P")
T = TypeVar("T")


def outside(trace: TracebackType | None) -> TracebackType | None:
    """``trace`` without the frames of asha-bus; None if there are no others."""
    kept = []
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] != "asha_bus":
            kept.append(trace)
        trace = trace.tb_next
    found = None
    for one in reversed(kept):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found


def cut_internals(error: BaseException) -> None:
    """Take the frames of asha-bus from ``error`` and from the errors before it.

    An error that has no other frames keeps all.
    """
    for one in _chain(error):
        one.__traceback__ = outside(one.__traceback__) or one.__traceback__


def raises_short(function: Callable[P, T]) -> Callable[P, T]:
    """``function``, whose errors of asha-bus's own kinds have one frame of asha-bus.

    All others keep theirs: they are bugs, or the user's.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except AshaBusError as error:
            short = error.with_traceback(outside(error.__traceback__))
        # here, so that it gets no other context
        raise short

    return call


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__
