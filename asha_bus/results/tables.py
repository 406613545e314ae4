"""Plain text tables: for the command line, and of results."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from asha_bus.core.checks import shortened


def cell(value: Any) -> str:
    """``value`` in a line: numbers in short, others by their reprs, but texts as they are."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else shortened(value)
    return text if text.isprintable() else " ".join(text.split())


def table(
    rows: Sequence[Sequence[str]], *, head: Sequence[str] = (), left: Collection[int] = (0,)
) -> str:
    """``rows`` in columns: those in ``left`` aligned to the left, the others to the right."""
    lines = [*([head] if head else []), *rows]
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
