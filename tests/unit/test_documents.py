"""What the documents name exists, their examples run, and their English is plain."""

from __future__ import annotations

import ast
import functools
import os
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asha_bus
from asha_bus.testing import SchedulerContract, SearcherContract

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "grafana").glob("*.md")),
]
CODE = [
    path
    for folder in ("asha_bus", "driver", "executor", "scripts", "examples", "grafana", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
STATIC = [
    path
    for folder, suffixes in (("asha_bus/page/static", ("js", "html")), ("grafana", ("yml", "yaml")))
    for suffix in suffixes
    for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))
    if "uplot" not in path.parts
]
TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith(".venv")}

_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_SUFFIXES = (".py", ".md", ".toml", ".json", ".sh", ".yml", ".yaml")

#: In a diagram, a path is a part of a label; ``<br>`` ends a line of it.
_IN_DIAGRAM = re.compile(r"[\w-]+(?:/[\w.-]+)+/?|[\w-]+/(?=[\"<])")

#: Idioms that are not plain English, each with what to write in its place; a blank may be
#: the end of a line.
IDIOMS = {
    r"\banew\b": "again",
    r"\b(?:is|are) no (?:dict|message|metric|number|parameter|plain)\b": "is not a number",
    r"\bso many\b": "at most n, this many",
    r"\b(?:begun|began|begins?) again\b": "restarted, run again",
    r"\b(?:is|are) told\b": "is notified; the bus tells the worker",
    r"\bwho has (?:the|no)\b": "whoever has the key; a peer without the key",
    r"\b(?:go|goes|going|gone|went) on with\b": "continue",
    r"\b(?:too|as well)(?:[.,;:)]|\Z)": "also, before the verb",
    r"\band so (?:are|can|do|does|has|have|is|was|were)\b": "name the subject again",
    r"\bgiv(?:e|es|en|ing) back\b": "return",
    r"\bsome \d": "about 5",
    r"\b(?:beats?|seats?|spares?|judgements?)\b": "heartbeat, slot, fallback, decision",
    r"\b(?:is|are) said\b": "is reported",
    # except Math.floor() of JavaScript
    r"\b(?<!Math\.)(?:floors?|the house)\b": "layers, the architecture",
    r"^#+ (?:Where|Before|Nothing|Looking|More|What|How)\b": "a heading by topic",
    r"^#.*\?$": "a heading by topic, not a question",
}


def diagrams(text: str) -> list[str]:
    """The mermaid diagrams of ``text``."""
    return re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def idioms(text: str) -> list[str]:
    """Where ``text`` is not plain English, and what to write instead."""
    prose = re.sub(r"^```.*?^```$|``.*?``|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    return [
        f"{found[0]!r}: say {better!r}"
        for idiom, better in IDIOMS.items()
        for found in re.finditer(idiom.replace(" ", r"\s+"), prose, re.MULTILINE | re.IGNORECASE)
    ]


@functools.cache
def prose(path: Path) -> list[str]:
    """What a person reads of the code in ``path``, read once."""
    return list(_prose(path))


def _prose(path: Path) -> Iterator[str]:
    """All of it.

    In tests their names, docstrings and comments; elsewhere all strings and comments.
    """
    is_test = path.is_relative_to(ROOT / "tests")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {part for node in ast.walk(tree) for part in _parts(node)}
    for node in ast.walk(tree):
        if is_test and isinstance(node, _DOCUMENTED):
            yield ast.get_docstring(node) or ""
            if not isinstance(node, ast.Module) and node.name.startswith("test_"):
                yield node.name.replace("_", " ") + "."
        elif isinstance(node, ast.JoinedStr) and not is_test:
            yield "".join(
                getattr(part, "value", "") if part in parts else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and not is_test and node not in parts:
            yield str(node.value)
    yield from comments(path)


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """The constant parts of ``node``, if it is an f-string."""
    if isinstance(node, ast.JoinedStr):
        yield from (part for part in node.values if isinstance(part, ast.Constant))


def comments(path: Path) -> Iterator[str]:
    """The comments in ``path``; lines of comments in a row are one."""
    block: list[str] = []
    last = 0
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                if token.start[0] != last + 1:
                    yield "\n".join(block)
                    block = []
                block.append(token.string.lstrip("#: "))
                last = token.start[0]
    yield "\n".join(block)


def paths(text: str) -> set[str]:
    """The files and folders of the project that ``text`` names in backticks or in a diagram."""
    found = {path for diagram in diagrams(text) for path in _IN_DIAGRAM.findall(diagram)}
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_document_is_plain_english(document: Path) -> None:
    assert [] == idioms(document.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_all_code_is_plain_english(path: Path) -> None:
    assert [] == [found for text in prose(path) for found in idioms(text)]


@pytest.mark.parametrize("path", STATIC, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_page_and_rule_is_plain_english(path: Path) -> None:
    text = re.sub(r"^\s*(?://|#|/?\*+)", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [] == idioms(text.replace("`", '"'))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The page is drawn anew.", 1),
        ("It is no number, and so is that,\ntoo.", 3),
        ("## Looking on", 1),
        ("## Is it fast?", 1),
        ("A seat takes some 5 s.", 2),
        ("## Monitoring\nIt is not a number, and another worker takes too long.", 0),
        ("`gone on with anew`\n```\nso many\n```\n", 0),
    ],
)
def test_idioms_are_found_in_prose_only(text: str, number: int) -> None:
    assert number == len(idioms(text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        path, _, place = link.partition("#")
        if "://" in link:
            continue
        target = document.parent / path if path else document
        assert target.exists(), f"{document.name} links to {link}"
        if place:
            assert place in anchors(target), f"{document.name} links to {link}"


def anchors(document: Path) -> set[str]:
    """The places in ``document`` that a link may name: its headings."""
    heads = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(
    ("name", "least"),
    [("spaces.md", 6), ("searchers.md", 2), ("simulator.md", 2), ("schedulers.md", 3)],
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
    suites = (SearcherContract, SchedulerContract)
    return isinstance(thing, type) and issubclass(thing, suites) and thing not in suites


def test_each_error_among_the_questions_is_one_of_the_code() -> None:
    text = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
    errors = re.findall(r"^```text\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert 10 < len(errors)
    known = [words for path in CODE if path.parts[-3] != "tests" for words in prose(path)]
    for error in errors:
        parts = [part.strip() for part in error.split("…")]
        assert any(all(part in words for part in parts) for words in known), error


def test_the_reference_has_every_public_name_once() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    named = re.findall(r"^::: asha_bus\.(\w+)$", text, re.MULTILINE)
    assert sorted({*asha_bus.__all__} - {"__version__"}) == sorted(named)


def test_paths_are_distinguished_from_other_words() -> None:
    text = (
        "`docs/x.md` `driver/` `scripts/check -q` `a/b.py` `<worker>/b` `x.y` `yes/no` docs/no.md"
    )
    assert {"docs/x.md", "driver/", "scripts/check", "a/b.py"} == paths(text)


def test_paths_in_a_diagram_are_found() -> None:
    diagram = 'a["driver/<br>carries"] -->|x/y| b[a/b.py]\nparticipant C as core/worker.py\n'
    found = paths(f"```mermaid\n{diagram}```\n")
    assert {"driver/", "x/y", "a/b.py", "core/worker.py"} == found


def test_the_architecture_names_every_module_of_the_core() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for module in (ROOT / "asha_bus" / "core").glob("[!_]*.py"):
        assert f"`asha_bus/core/{module.name}`" in text


def test_the_architecture_has_a_diagram_each_of_folders_layers_reports_and_processes() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders, layers, report, processes = map(_IN_DIAGRAM.findall, diagrams(text))
    packages = {
        f"asha_bus/{path.name}/" for path in (ROOT / "asha_bus").iterdir() if _is_package(path)
    }
    assert packages <= {*folders} and packages <= {*layers}
    for carrier in ("driver/", "executor/"):
        assert carrier in folders and carrier in layers
        assert any(path.startswith(carrier) for path in report)
        assert any(path.startswith(carrier) for path in processes)


def _is_package(path: Path) -> bool:
    return (path / "__init__.py").exists()


@pytest.mark.parametrize(
    "script", ["scripts/check", "scripts/demo", "scripts/lib/java-home", ".ci/run"]
)
def test_commands_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert (ROOT / script).read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")


def test_a_suggestion_can_be_followed_in_six_files() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    way = text.partition("## The way of a suggestion\n")[2].partition("\n## ")[0]
    files = {path for path in re.findall(r"`([^`]+\.py)`", way) if (ROOT / path).exists()}
    assert 6 == len(files)
