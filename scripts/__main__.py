"""Runs a script by its folder and name: ``python scripts bench/search --smoke``.

Without a name it lists all scripts. Python looks for modules in the folder that it was
given, so the scripts import each other's parts from ``bench``, ``faults``, ``generate``
and ``lib``, from whatever folder they are run.
"""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
_IS_SCRIPT = 'if __name__ == "__main__":'


def scripts() -> dict[str, Path]:
    """The scripts by name, such as ``bench/search``."""
    return {
        path.relative_to(_FOLDER).with_suffix("").as_posix(): path
        for path in sorted(_FOLDER.glob("*/*.py"))
        if _IS_SCRIPT in path.read_text(encoding="utf-8")
    }


def main() -> None:
    """The command."""
    found = scripts()
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name in found:
        runpy.run_module(name.replace("/", "."), run_name="__main__", alter_sys=True)
        return
    print("usage: python scripts NAME [arguments]\n")
    for each, path in found.items():
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        print(f"{each:<22}{text.splitlines()[0]}")
    sys.exit(f"\nthere is no script {name}" if name not in ("", "-h", "--help") else None)


if __name__ == "__main__":
    main()
