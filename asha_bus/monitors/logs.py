"""Keeps log records apart from what a monitor draws in the same terminal."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from asha_bus.monitors.screen import is_tty

#: Makes room in the terminal on entry, and draws again on exit.
Aside = Callable[[], AbstractContextManager[object]]

#: What is drawn now, and the handlers that make room for it.
_drawn: list[Aside] = []
_handlers: set[logging.Handler] = set()
_lock = threading.Lock()

# a child draws nothing, and a lock of a drawing may be held in it for ever
os.register_at_fork(after_in_child=_drawn.clear)


def make_room(aside: Aside) -> None:
    """From now on until `leave`, records that go to a terminal are written within ``aside``.

    Call it again now and then, since handlers may be added.
    """
    with _lock:
        if aside not in _drawn:
            _drawn.append(aside)
        for handler in _all_handlers():
            if handler not in _handlers and _writes_to_terminal(handler):
                _handlers.add(handler)
                handler.emit = _Beside(handler)  # type: ignore[method-assign]


def leave(aside: Aside) -> None:
    """Nothing is drawn by ``aside`` any more."""
    with _lock:
        if aside in _drawn:
            _drawn.remove(aside)
        if not _drawn:
            for handler in _handlers:
                if isinstance(vars(handler).get("emit"), _Beside):
                    del handler.emit
            _handlers.clear()


class _Beside:
    """Takes the place of a handler's ``emit``."""

    def __init__(self, handler: logging.Handler) -> None:
        self._emit = handler.emit

    def __call__(self, record: logging.LogRecord) -> None:
        with ExitStack() as room:
            for aside in tuple(_drawn):
                room.enter_context(aside())
            self._emit(record)


def _all_handlers() -> set[logging.Handler]:
    found = set(logging.root.handlers)
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):  # and no placeholder
            found.update(logger.handlers)
    if logging.lastResort is not None:
        found.add(logging.lastResort)
    return found


def _writes_to_terminal(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and is_tty(handler.stream)
