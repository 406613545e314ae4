"""Writes to stdout, and fits text to the width of a terminal."""

from __future__ import annotations

import logging
import os
import sys
import unicodedata
from typing import Any

logger = logging.getLogger("asha_bus")


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel, as in JupyterLab, VS Code and Colab."""
    ipython = sys.modules.get("IPython")  # a kernel has loaded it
    if ipython is None:
        return False
    shell = type(ipython.get_ipython())
    return any(cls.__name__ == "ZMQInteractiveShell" for cls in shell.__mro__)


def is_tty(stream: Any) -> bool:
    """Whether ``stream`` is a terminal; not where it is None, closed, or cannot say."""
    try:
        return bool(stream.isatty())
    except Exception:  # whatever a program put in the place of sys.stdout may raise
        return False


def is_terminal() -> bool:
    """Whether stdout is a terminal whose cursor can be moved."""
    return is_tty(sys.stdout) and os.environ.get("TERM") != "dumb" and _has_columns(sys.stdout)


def _has_columns(stream: Any) -> bool:
    """Whether a terminal has a size: one of a container or of `script` may have none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns > 0
    except (AttributeError, OSError, ValueError):  # not the system's, so somebody draws it
        return True


def print_error(text: str) -> None:
    """Write ``text`` to stderr, if there is one that takes it."""
    _print(sys.stderr, text)


def print_text(text: str) -> None:
    """Write ``text`` to stdout in one piece, with ? for characters that it cannot encode.

    Unlike print(), no other thread can write between the text and its line break. Where
    stdout takes nothing (closed, a full disk, a pipe whose reader left), the text is lost.
    """
    _print(sys.stdout, text)


def _print(stream: Any, text: str) -> None:
    if stream is None:  # a daemon has none
        return
    try:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding))
        if not in_notebook():  # a kernel's streams flush themselves, many lines at a time
            stream.flush()
    except Exception as error:  # whatever a program put in the place of the stream may raise
        logger.debug("a text was not shown: %r", error)


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
