"""Writes tests/data/wire_vectors.json from the examples in docs/protocol.md.

``python scripts generate/wire_vectors`` writes it, ``--check`` only says whether it is
up to date, by the exit status. The JSON is for implementations in other languages:
a list of objects with the message's number, name, sender, fields in order, and its
body in hex. NaN and infinities, which JSON lacks, are the strings "NaN",
"Infinity" and "-Infinity"; keys of a map that are numbers are also strings.
"""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from lib import ROOT

from asha_bus.core import messages
from asha_bus.formats import wire

DOCUMENT = ROOT / "docs" / "protocol.md"
DATA = ROOT / "tests" / "data" / "wire_vectors.json"

_BLOCK = re.compile(r"^```vector\n(.+)\n([0-9a-f\n]+)^```$", re.MULTILINE)
_FLOATS = {"nan": math.nan, "inf": math.inf}


_NUMBERS = {cls: number for number, cls, _ in wire.TABLE}


class Vector(NamedTuple):
    """One example: a message and its body."""

    message: Any
    body: bytes

    def to_plain(self) -> dict[str, Any]:
        """The example as it stands in the JSON."""
        number = _NUMBERS[type(self.message)]
        return {
            "number": number,
            "name": type(self.message).__name__,
            "sender": "worker" if number < wire.FIRST_TO_WORKER else "bus",
            "fields": _plain(self.message),
            "hex": self.body.hex(),
        }


def parse_message(text: str) -> Any:
    """The message that is written as ``Name(field=value, ...)``."""
    return _value(ast.parse(text.strip(), mode="eval").body)


def vectors(document: str) -> Iterator[Vector]:
    """All examples of ``document``, in its order."""
    for text, digits in _BLOCK.findall(document):
        yield Vector(parse_message(text), bytes.fromhex(digits))


def to_json(document: str) -> str:
    """The text of the JSON file."""
    lines = [
        json.dumps(vector.to_plain(), ensure_ascii=True, allow_nan=False)
        for vector in vectors(document)
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _value(node: ast.expr) -> Any:
    """The value of an expression; only messages, plain values and nan, inf are known."""
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        cls = getattr(messages, node.func.id)
        return cls(**{str(word.arg): _value(word.value) for word in node.keywords})
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Name):
        return _FLOATS[node.id]
    return ast.literal_eval(node)


def _plain(value: Any) -> Any:
    """``value`` in what JSON has."""
    if hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def main(arguments: list[str]) -> int:
    """Write the file, or check it."""
    text = to_json(DOCUMENT.read_text(encoding="utf-8"))
    if arguments == ["--check"]:
        return int(DATA.read_text(encoding="utf-8") != text)
    DATA.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
