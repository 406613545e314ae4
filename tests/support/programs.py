"""Programs of a user, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

_TESTS = str(Path(__file__).parents[1])


def start_program(
    folder: Path, source: str, *paths: str | Path, **options: Any
) -> subprocess.Popen[bytes]:
    """Run ``source`` as a script in ``folder``; it finds `support`, and what is in ``paths``."""
    script = folder / "program.py"
    script.write_text(textwrap.dedent(source))
    path = os.pathsep.join([*map(str, paths), _TESTS])
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, str(script)], cwd=folder, env=env, **options)
