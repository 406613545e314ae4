"""The log of a trial, limited in size."""

from __future__ import annotations

from typing import NamedTuple

#: The most characters kept of a trial's log: half from its beginning, half from its end.
MAX_LOG_CHARS = 32_768

_HALF = MAX_LOG_CHARS // 2


class LogLine(NamedTuple):
    """What a trial logged, or a warning about it."""

    trial: int
    #: ``info`` or ``warning``.
    level: str
    text: str


class TrialLog:
    """The lines of all attempts at one trial; if they are too many, the middle is left out."""

    __slots__ = ("_attempt", "_chars", "_head", "_tail")

    def __init__(self) -> None:
        self._attempt = 1
        self._chars = 0
        self._head = ""
        self._tail = ""

    def add(self, attempt: int, level: str, text: str) -> bool:
        """Add one or more lines; return whether nothing had been left out before them."""
        is_early = self._chars < MAX_LOG_CHARS
        if attempt != self._attempt:
            self._attempt = attempt
            self._add(f"--- attempt {attempt} ---\n")
        self._add(f"warning: {text}\n" if level == "warning" else f"{text}\n")
        return is_early

    def _add(self, text: str) -> None:
        self._chars += len(text)
        room = _HALF - len(self._head)
        self._head += text[:room]
        self._tail += text[room:]
        if len(self._tail) > 2 * _HALF:  # not at every line
            self._tail = self._tail[-_HALF:]

    def __str__(self) -> str:
        left_out = self._chars - MAX_LOG_CHARS
        if left_out <= 0:
            return self._head + self._tail
        return f"{self._head}\n... {left_out} characters left out ...\n{self._tail[-_HALF:]}"
