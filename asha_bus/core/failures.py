"""Failures in words: what an error comes down to, and which errors are of one kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: At most this many kinds of failures are distinguished in one run: a message may hold a number
#: that is another one in each trial.
MAX_KINDS = 10

_HEAD = "Traceback (most recent call last):"
#: What stands before the lines of an exception group.
_MARGIN = " |+-"
_MOST_CHARS = 300
#: What may differ between failures of one kind.
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def gist(error: str | None) -> str:
    """The exception's type and the last line of its traceback; one line, cut if it is long.

    Of an error that is not a traceback, the first line.
    """
    shown = "".join(one if one.isprintable() else "?" for one in _gist(error))
    return shown if len(shown) <= _MOST_CHARS else f"{shown[:_MOST_CHARS]}..."


def kind(state: str, error: str | None) -> str:
    """The same text for failures of one kind, whatever numbers they name.

    Trials that were lost are of one kind.
    """
    return state if state == "LOST" else _without_numbers(_gist(error))


class Repeated(NamedTuple):
    """Warnings of one kind about trials: the first one, and how many there were."""

    trial: int
    text: str
    times: int

    def __str__(self) -> str:
        more = f" ({self.times - 1} more like this)" if self.times > 1 else ""
        return f"trial {self.trial}: {self.text}{more}"


def count_warning(known: dict[str, Repeated], trial: int, text: str) -> str:
    """Add a warning about ``trial`` to those that are ``known`` by kind; returns its kind."""
    head, _, rest = text.partition("\n")
    said = f"{gist(head)} {gist(rest)}" if rest else gist(head)
    found = _without_numbers(f"{_gist(head)} {_gist(rest)}")
    if found not in known and len(known) >= MAX_KINDS:
        found = ""  # one kind of all further ones
    first = known.get(found, Repeated(trial, said, 0))
    known[found] = first._replace(times=first.times + 1)
    return found


def _gist(error: str | None) -> str:
    """What `gist` shows, in full."""
    lines = list(_lines(error or ""))
    if not lines:
        return "no error is known"
    head, last = _exception(lines), lines[-1]
    return head if head == last else f"{head} ... {last}"


def _without_numbers(text: str) -> str:
    """``text`` cut after its numbers are: a longer number must not move the cut."""
    return _NUMBER.sub("#", text)[:_MOST_CHARS]


def _exception(lines: list[str]) -> str:
    """The line that begins with the exception's type, after the last frame."""
    frames = [number for number, line in enumerate(lines) if line == _HEAD]
    if not frames:
        grouped = any(line.endswith(_HEAD) for line in lines)
        return lines[-1] if grouped else lines[0]
    after = (line for line in lines[frames[-1] + 1 :] if not line.startswith(" "))
    return next(after, lines[-1])


def _lines(error: str) -> Iterator[str]:
    """The lines that say something, without the margin of an exception group."""
    for line in error.splitlines():
        said = line.lstrip(_MARGIN)
        if said:
            yield said.rstrip() if line.lstrip().startswith(("|", "+")) else line.rstrip()
