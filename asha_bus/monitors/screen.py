"""Writes to stdout, and fits text to the width of a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from typing import TextIO


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel, as in JupyterLab, VS Code and Colab."""
    ipython = sys.modules.get("IPython")  # a kernel has loaded it
    if ipython is None:
        return False
    shell = type(ipython.get_ipython())
    return any(cls.__name__ == "ZMQInteractiveShell" for cls in shell.__mro__)


def is_tty(stream: TextIO | None) -> bool:
    """Whether ``stream`` is an open terminal."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # no file at all, or a closed one
        return False


def is_terminal() -> bool:
    """Whether stdout is a terminal whose cursor can be moved."""
    return is_tty(sys.stdout) and os.environ.get("TERM") != "dumb"


def print_error(text: str) -> None:
    """Write ``text`` to stderr, if there is one that takes it."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # none, gone, or closed
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(text.encode(encoding, "replace").decode(encoding))
        sys.stderr.flush()


def print_text(text: str) -> None:
    """Write ``text`` to stdout in one piece, with ? for characters that it cannot encode.

    Unlike print(), no other thread can write between the text and its line break.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    if not in_notebook():  # a kernel's stdout flushes itself, many lines at a time
        sys.stdout.flush()


def cut(text: str, width: int) -> str:
    """The beginning of ``text``, at most ``width`` columns of one line.

    Control characters become ?.
    """
    if not text.isprintable():
        text = "".join(one if one.isprintable() else "?" for one in text)
    columns = 0
    for place, character in enumerate(text):
        columns += _columns(character)
        if columns > width:
            return text[:place]
    return text


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
