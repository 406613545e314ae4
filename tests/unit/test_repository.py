"""What lies where in the repository, and what its development environment is made of."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "scripts" / "lib" / "dev.lock").read_text(encoding="utf-8")

#: What may lie at the top; whatever else does was left there by accident.
TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "asha_bus",
    "docs",
    "driver",
    "eslint.config.mjs",
    "examples",
    "executor",
    "grafana",
    "mkdocs.yml",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "scripts",
    "tests",
    "tsconfig.json",
}


def test_nothing_else_lies_at_the_top() -> None:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"git does not know this folder: {done.stderr}")
    assert TOP == {path.split("/")[0] for path in done.stdout.splitlines()}


def locked() -> list[Requirement]:
    return [Requirement(line) for line in LOCK.splitlines()]


def test_the_lock_has_one_exact_version_of_each_package_for_every_python() -> None:
    for minor in range(10, 14):
        environment = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"}
        names = [
            requirement.name
            for requirement in locked()
            if requirement.marker is None or requirement.marker.evaluate(environment)
        ]
        assert sorted(set(names)) == sorted(names)
    for requirement in locked():
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), requirement


def test_the_lock_covers_what_development_needs() -> None:
    extras, needed = PROJECT["optional-dependencies"], ["dev", "frameworks"]
    for extra in needed:  # which grows
        own = [one for one in map(Requirement, extras[extra]) if one.name == PROJECT["name"]]
        needed += sorted({name for one in own for name in one.extras} - set(needed))
    assert {"mlflow"} == set(extras) - set(needed), "scripts/check --frameworks installs it"
    listed = [*PROJECT["dependencies"], *(line for extra in needed for line in extras[extra])]
    versions = {canonicalize_name(one.name): one.specifier for one in locked()}
    for line in listed:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            continue
        (exact,) = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(exact.version), f"{line}: locked is {exact}"


@pytest.mark.parametrize("name", ["scripts/lib/dev.lock", "package-lock.json"])
def test_a_lock_names_no_registry(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "://" not in re.sub(r'"(funding|url)": .*', "", text)
