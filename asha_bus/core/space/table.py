"""Displays a space: as the expression that was written, and as an HTML table for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asha_bus.core.checks import shortened, shown_params
from asha_bus.core.space.contents import holds_parameter
from asha_bus.core.space.member import Member, Plain, Product, Sampled
from asha_bus.core.space.options import MAX_SHOWN, Options
from asha_bus.core.space.parameter import Leaf
from asha_bus.core.space.where import Filtered

#: Longer texts are cut, and a table shows this many rows.
_CHARS = 80
_ROWS = 200


def text_of(member: Member) -> str:
    """``member`` as the expression that was written."""
    if isinstance(member, Plain):
        its = (f"{_text(name)}={_written(value)}" for name, value in member.tree.items())
        return f"Space({', '.join(its)})"
    if isinstance(member, Product):
        return " * ".join(map(text_of, member.factors))
    if isinstance(member, Sampled):
        return f"{_operand(member.inner)}.sample({member.n}, seed={member.seed})"
    assert isinstance(member, Filtered)
    return f"{_operand(member.inner)}.where({member.predicate.name})"


def _text(key: str) -> str:
    """``key`` as it is, or its repr if it holds what cannot be printed."""
    return key if key.isprintable() and key else repr(key)


def _written(node: Any) -> str:
    return repr(node) if isinstance(node, Leaf) else shown_params(node)


def _operand(member: Member) -> str:
    return f"({text_of(member)})" if isinstance(member, Product) else text_of(member)


def html_of(members: Sequence[Member]) -> str:
    """An HTML table of every parameter: its path, its kind, its range or options."""
    rows = []
    for number, member in enumerate(members):
        its = [(path, leaf.kind, _range(leaf)) for path, leaf in member.places]
        its += [
            (name, "constant", _cut(shortened(node)))
            for name, node in member.tree.items()
            if not holds_parameter(node)
        ]
        rows += [(str(number), *row) if len(members) > 1 else row for row in its]
    head = ["path", "kind", "range or options"]
    shown = rows[:_ROWS] + ([("...",) * len(rows[0])] if len(rows) > _ROWS else [])
    level1 = sum(member.branches for member in members)
    note = "finite" if all(member.is_finite for member in members) else "the rest is stochastic"
    return (
        f"<p>{level1:,} level-1 configuration{'' if level1 == 1 else 's'}; {note}</p>"
        f"<table><thead>{_row('th', ['member', *head] if len(members) > 1 else head)}</thead>"
        f"<tbody>{''.join(_row('td', row) for row in shown)}</tbody></table>"
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    from html import escape  # slow to import, and only notebooks need it

    return f"<tr>{''.join(f'<{tag}>{escape(_text(cell))}</{tag}>' for cell in cells)}</tr>"


def _range(leaf: Leaf) -> str:
    """The arguments of a parameter as text."""
    if isinstance(leaf, Options):
        more = len(leaf.options) - MAX_SHOWN
        return _cut(", ".join(map(_option, leaf.options[:MAX_SHOWN]))) + (
            f" and {more:,} more" if more > 0 else ""
        )
    return _cut(shortened(leaf, 1_000).partition("(")[2].removesuffix(")"))


def _option(option: Any) -> str:
    return _cut(shortened(option))


def _cut(text: str) -> str:
    return text if len(text) <= _CHARS else text[:_CHARS] + "..."
