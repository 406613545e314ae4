"""Lint bans what runs code that came as a name, a text or bytes, outside of named files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BANNED = [
    "from importlib import import_module\nimport_module('os')\n",
    "import importlib\nimportlib.import_module('os')\n",
    "import importlib\nimportlib.__import__('os')\n",
    "import pickle\npickle.load(None)\n",
    "from pickle import loads\nloads(b'')\n",
    "import pickle\npickle.Unpickler(None)\n",
    "import cloudpickle\ncloudpickle.loads(b'')\n",
    "eval('1')\n",
    "exec('1')\n",
    "import runpy\nrunpy.run_path('x')\n",
    "import marshal\nmarshal.loads(b'')\n",
    "import shelve\nshelve.open('x')\n",
]


@pytest.mark.parametrize("code", BANNED)
@pytest.mark.parametrize("folder", ["asha_bus/results", "asha_bus/core", "driver"])
def test_what_runs_foreign_code_is_banned(code: str, folder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--stdin-filename", f"{folder}/new.py", "-"],
        input=code,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert 1 == done.returncode, done.stderr
    assert any(rule in done.stdout for rule in ("S102", "S301", "S307", "TID251")), done.stdout


def test_nothing_is_imported_by_the_builtin_which_lint_does_not_see() -> None:
    files = [p for top in ("asha_bus", "driver", "executor") for p in (ROOT / top).rglob("*.py")]
    using = [
        path
        for path in files
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Name) and node.id in ("__import__", "compile")
    ]
    assert len(files) > 100
    assert [] == using
