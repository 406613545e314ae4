"""Marks what an objective prints with its trial; sends the driver what it logs, and prints.

Output must never delay a decision, block the objective or use unbounded memory. So
lines are collected, sent in batches, and dropped if there are too many.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from typing import Any, TextIO, cast

from asha_bus.core import messages as m
from asha_bus.core.log import MAX_LOG_CHARS
from asha_bus.core.worker import cut

#: The shortest time between two batches of lines.
SEND_EVERY_S = 0.5

#: The most characters that wait to be sent; the driver would not keep more.
MAX_WAITING_CHARS = MAX_LOG_CHARS

#: The cost of one message on the bus, in characters of a line.
_MESSAGE_CHARS = 160

#: A longer printed line is cut.
MAX_LINE_CHARS = 4_096


class Outbox:
    """Lines that wait to be sent; if there are too many, the oldest are dropped.

    The objective's threads add lines. These threads and the heartbeat thread take them.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may print at any point, even in here
        self._waiting: deque[m.Log] = deque()
        self._chars = 0
        self._left_out = 0
        self._due = 0.0

    def put(self, log: m.Log) -> None:
        """Queue ``log`` for the next batch."""
        with self._lock:
            self._waiting.append(log)
            self._chars += _weight(log)
            while self._chars > MAX_WAITING_CHARS and len(self._waiting) > 1:
                self._chars -= _weight(self._waiting.popleft())
                self._left_out += 1

    def has_lines(self, now: float | None = None) -> bool:
        """Whether lines wait; with ``now`` (seconds), only if a batch is due."""
        return bool(self._waiting) and (now is None or now >= self._due)

    def take(self, now: float | None = None) -> list[m.Log]:
        """Remove and return the waiting lines; with ``now`` (seconds), only if a batch is due."""
        if not self.has_lines(now):
            return []
        with self._lock:
            logs = list(self._waiting)
            left_out = self._left_out
            self._waiting.clear()
            self._chars = self._left_out = 0
            if now is not None:
                self._due = now + SEND_EVERY_S
        if logs and left_out:
            text = f"... {left_out} lines left out: too many at once ..."
            logs.insert(0, logs[0]._replace(level="output", text=text))
        return _joined(logs)


def _weight(log: m.Log) -> int:
    return len(log.text) + (1 if log.level == "output" else _MESSAGE_CHARS)


def _joined(logs: list[m.Log]) -> list[m.Log]:
    """Merge consecutive printed lines of one attempt into one message."""
    joined: list[m.Log] = []
    printed: list[str] = []
    for number, log in enumerate(logs):
        printed.append(log.text)
        following = logs[number + 1] if number + 1 < len(logs) else None
        if following is None or log.level != "output" or following[:3] != log[:3]:
            joined.append(log._replace(text="\n".join(printed)))
            printed = []
    return joined


class Recorder:
    """Puts the trial in front of each line that an objective prints, and prints whole lines only.

    ``outbox``: where the lines are also copied; None: nowhere. Inside ``with``, it replaces
    `sys.stdout` and `sys.stderr`. What is printed outside of an attempt, which is between
    `begin` and `end`, stays as it is.
    """

    def __init__(self, outbox: Outbox | None) -> None:
        self._outbox = outbox
        self._pid = os.getpid()
        self._attempt: tuple[int, int] | None = None
        self._before: tuple[TextIO, TextIO] | None = None
        self._streams: tuple[RecordedStream, ...] = ()

    def __enter__(self) -> Recorder:
        self._before = sys.stdout, sys.stderr
        self._streams = tuple(RecordedStream(stream, self) for stream in self._before)
        sys.stdout, sys.stderr = (cast(TextIO, stream) for stream in self._streams)
        return self

    def __exit__(self, *exception: object) -> None:
        self._attempt = None
        if self._before is not None:
            sys.stdout, sys.stderr = self._before

    def begin(self, trial: int, attempt: int) -> None:
        """Record what is printed from now on as output of this attempt."""
        self._attempt = (trial, attempt)
        if self._streams:  # the trial before may have put others in their place
            sys.stdout, sys.stderr = (cast(TextIO, stream) for stream in self._streams)

    def end(self) -> None:
        """Stop recording: the attempt has ended."""
        for stream in self._streams:
            stream.end_line()
        self._attempt = None

    @property
    def is_on(self) -> bool:
        """Whether an attempt is running in this process, not in a forked child."""
        return self._attempt is not None and os.getpid() == self._pid

    def keep(self, line: str) -> str:
        """Queue ``line`` for the driver; return it as a line to print, with its trial."""
        if self._attempt is None:  # another thread ended it just now
            return f"{line}\n"
        trial, attempt = self._attempt
        if self._outbox is not None:
            self._outbox.put(m.Log(trial, attempt, "output", cut(line, MAX_LINE_CHARS)))
        return f"trial {trial}: {line}\n"


class RecordedStream:
    """Replaces a text stream for the worker's whole life, as a logging handler may keep it."""

    def __init__(self, stream: TextIO, recorder: Recorder) -> None:
        self._stream = stream
        self._recorder = recorder
        self._lock = threading.RLock()
        self._line = ""

    def write(self, text: str) -> int:
        """Write ``text`` and record its lines."""
        if not self._recorder.is_on:
            return self._stream.write(text)
        with self._lock:
            *whole, last = (self._line + text).split("\n")
            self._line = ""
            self._keep([_overwritten(line).rstrip("\r") for line in whole])
            self._line = _overwritten(last)
            if len(self._line) > MAX_LINE_CHARS:
                self.end_line()
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of ``lines``."""
        for line in lines:
            self.write(line)

    def end_line(self) -> None:
        """Record the text since the last newline as a line."""
        with self._lock:
            line, self._line = self._line, ""
            if line:
                self._keep([line])

    def _keep(self, lines: list[str]) -> None:
        """Print and keep ``lines``; what cannot be printed is lost, and the trial is not."""
        text = "".join([self._recorder.keep(line) for line in lines])
        if text:
            with contextlib.suppress(OSError, ValueError, AttributeError):  # full, closed, None
                self._stream.write(text)
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _overwritten(line: str) -> str:
    """What a terminal finally shows of ``line``: text after its last carriage return."""
    return line[line.rstrip("\r").rfind("\r") + 1 :]
