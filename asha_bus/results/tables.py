"""Formats plain-text tables, for results and the command line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from unicodedata import category

from asha_bus.core.checks import cut, shortened


def visible(text: str) -> str:
    """``text`` with escapes such as ``\\x1b`` for characters that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(one if one in "\n\t" else _visible(one) for one in text)


def _visible(character: str) -> str:
    if character.isprintable() or category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


def cell(value: Any) -> str:
    """``value`` in one line: floats rounded, strings as they are, other values by their repr.

    A string that reads like a number, a bool or None is quoted.
    """
    if isinstance(value, float):
        found = f"{value:.4g}"
        return f"{found}.0" if found.lstrip("-").isdigit() else found
    is_plain = isinstance(value, str) and not _reads_like_another(value)
    text = cut(value) if is_plain else shortened(value)
    return text if text.isprintable() else visible(" ".join(text.split()))


def _reads_like_another(text: str) -> bool:
    if text.lower() in ("true", "false", "none"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def table(
    rows: Sequence[Sequence[str]], *, head: Sequence[str] = (), left: Collection[int] = (0,)
) -> str:
    """``rows`` as columns, left-aligned if their number is in ``left``, otherwise right-aligned."""
    lines = [list(map(visible, line)) for line in ([head, *rows] if head else rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    if head:
        shown.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(shown)
