"""Writes the table of layers into docs/architecture.md; ``--check`` only compares.

The list of layers is in pyproject.toml, where import-linter reads it. A comment there is a
row's name, and the lines that follow it are the row.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "architecture.md"

_LIST = re.compile(r"^layers = \[\n(.*?)^\]$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r'^ *(?:# (?P<name>.+)|"(?P<modules>[^"]+)",)$')
_TABLE = re.compile(r"(?<=<!-- layers -->\n).*?(?=<!-- end of layers -->)", re.DOTALL)
_MODULE = re.compile(r"[\w.]+")


def rows(project: str) -> Iterator[tuple[str, list[str]]]:
    """Each row's name and its modules, from the text of pyproject.toml."""
    found = _LIST.search(project)
    assert found, "pyproject.toml has no list of layers"
    name, modules = "", list[str]()
    for line in found[1].splitlines():
        match = _LINE.match(line)
        assert match, f"in the list of layers stands a comment or a string, not {line!r}"
        if match["name"] and modules:
            yield name, modules
            modules = []
        name = match["name"] or name
        modules += _MODULE.findall(match["modules"] or "")
    yield name, modules


def path_of(module: str) -> str:
    """Where a module or package of the project lies; a package ends in a slash."""
    parts = module.split(".")
    folder = ROOT.joinpath(
        *(parts if parts[1] not in ("driver", "executor", "grafana") else parts[1:])
    )
    shown = folder.relative_to(ROOT).as_posix()
    return f"{shown}/" if folder.is_dir() else f"{shown}.py"


def table() -> str:
    """The table, highest layer first."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = ["", "| layers, highest first | files |", "|---|---|"]
    for name, modules in rows(project):
        lines.append(f"| {name} | {', '.join(f'`{path_of(module)}`' for module in modules)} |")
    return "\n".join([*lines, "", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table, or compare it with what there is; 1 where it differs."""
    given = sys.argv[1:] if arguments is None else arguments
    text = DOCUMENT.read_text(encoding="utf-8")
    made, count = _TABLE.subn(lambda _: table(), text)
    assert count == 1, f"{DOCUMENT} has no place for the table"
    if "--check" not in given:
        DOCUMENT.write_text(made, encoding="utf-8")
    elif made != text:
        print(f"{DOCUMENT} is not what scripts/generate/layers.py makes: run it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
