"""Writes the dashboards to ``grafana/dashboards``; ``--check`` only compares.

The folder ``generate/pages`` is what is reviewed, the JSON files are made of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lib import ROOT

from generate.pages.bus import bus
from generate.pages.rungs import rungs
from generate.pages.runs import runs
from generate.pages.workers import workers

FOLDER = ROOT / "grafana" / "dashboards"
PAGES = {"rungs.json": rungs, "bus.json": bus, "workers.json": workers, "runs.json": runs}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write them, or compare them with what there is; 1 where a file differs."""
    given = sys.argv[1:] if arguments is None else arguments
    differ = []
    for name, make in PAGES.items():
        path, text = FOLDER / name, make()
        if "--check" not in given:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            differ.append(name)
    for name in differ:
        print(
            f"{FOLDER / name} is not what scripts/generate/dashboards.py makes: run it",
            file=sys.stderr,
        )
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
