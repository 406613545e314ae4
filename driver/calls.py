"""The questions to a bus that have no answer yet; they outlive the bus."""

from __future__ import annotations

import threading
from typing import Any

from asha_bus.core.errors import BusError
from asha_bus.formats import pipe


class Call:
    """One question to the bus, and its answer."""

    def __init__(self, request: Any) -> None:
        self.request = request
        self.done = threading.Event()
        self.value: Any = None
        self.is_lost = False


class Calls:
    """Numbers the questions; to be used by one thread at a time."""

    def __init__(self) -> None:
        self._open: dict[int, Call] = {}
        self._last = 0
        self._is_over = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, request: Any) -> tuple[Call, pipe.Call]:
        """A new question, and its frame; BusError where there is no bus any more."""
        if self._is_over:
            raise BusError("the bus process has ended")
        self._last += 1
        call = self._open[self._last] = Call(request)
        return call, pipe.Call(self._last, request)

    def frames(self) -> list[pipe.Call]:
        """The frames of all questions, for a bus that was told none of them."""
        return [pipe.Call(number, call.request) for number, call in self._open.items()]

    def answer(self, reply: pipe.Reply) -> None:
        """Take an answer, which may be a repeat: the bus died between deed and word."""
        call = self._open.pop(reply.number, None)
        if call is not None:
            call.value = reply.value
            call.done.set()

    def lose(self) -> None:
        """There will be no answer any more."""
        self._is_over = True
        for call in self._open.values():
            call.is_lost = True
            call.done.set()
        self._open.clear()
