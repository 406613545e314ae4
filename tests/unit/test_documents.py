"""What the documents name is there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from asha_bus.testing import SearcherContract

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "grafana").glob("*.md")),
]
TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith(".venv")}

_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_SUFFIXES = (".py", ".md", ".toml", ".json", ".sh", ".yml", ".yaml")


def paths(text: str) -> set[str]:
    """What stands between backticks in ``text`` and names a file or folder of the project."""
    found = set()
    for quoted in re.findall(r"`([^`\n]+)`", text):
        word = quoted.split()[0]
        is_ours = "/" in word and word.split("/")[0] in TOP
        if _PATH.fullmatch(word) and (is_ours or ("/" in word and word.endswith(_SUFFIXES))):
            found.add(word)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_is_there(document: Path) -> None:
    for path in paths(document.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), f"{document.name} names {path}"


@pytest.mark.parametrize(
    ("name", "least"), [("spaces.md", 6), ("searchers.md", 2), ("simulator.md", 2)]
)
def test_the_examples_run(name: str, least: int) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert text.count("```python") == len(blocks) >= least
    known: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, f"docs/{name}", "exec"), known)
    for suite in filter(_is_suite, known.values()):
        for test in filter(lambda name: name.startswith("test_"), dir(suite)):
            getattr(suite(), test)()


def _is_suite(thing: Any) -> bool:
    """Whether pytest would run tests of it."""
    is_suite = isinstance(thing, type) and issubclass(thing, SearcherContract)
    return is_suite and thing is not SearcherContract


def test_paths_are_told_from_other_words() -> None:
    text = (
        "`docs/x.md` `driver/` `scripts/check -q` `a/b.py` `<worker>/b` `x.y` `yes/no` docs/no.md"
    )
    assert {"docs/x.md", "driver/", "scripts/check", "a/b.py"} == paths(text)


def test_the_architecture_names_every_module_but_the_tools() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for module in (ROOT / "asha_bus" / "core").glob("[!_]*.py"):
        assert f"`asha_bus/core/{module.name}`" in text


@pytest.mark.parametrize(
    "script", ["scripts/check", "scripts/demo", "scripts/lib/java-home", ".ci/run"]
)
def test_commands_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert (ROOT / script).read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
