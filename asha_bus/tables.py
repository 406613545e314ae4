"""Plain text tables for the command line."""

from __future__ import annotations

from collections.abc import Collection, Sequence


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
