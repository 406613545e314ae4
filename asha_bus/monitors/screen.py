"""What is written to stdout, and how much of it a line of a terminal holds."""

from __future__ import annotations

import os
import sys
import unicodedata


def in_notebook() -> bool:
    """Whether this is a Jupyter kernel; VS Code and Colab run such, too."""
    ipython = sys.modules.get("IPython")  # where it is not loaded, nobody works in it
    if ipython is None:
        return False
    shell = type(ipython.get_ipython())
    return any(cls.__name__ == "ZMQInteractiveShell" for cls in shell.__mro__)


def is_terminal() -> bool:
    """Whether stdout is a terminal in which the cursor can be moved."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def print_text(text: str) -> None:
    """Write to stdout in one piece, with ? for characters that it cannot encode.

    Unlike print(), it lets nothing of another thread come before the line's end.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    if not in_notebook():  # a kernel's stdout flushes itself, many lines at a time
        sys.stdout.flush()


def cut(text: str, width: int) -> str:
    """The beginning of a text that takes at most ``width`` columns of one line.

    Characters that a terminal would obey instead of showing them become ?.
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
