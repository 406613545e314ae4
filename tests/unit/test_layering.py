"""The house: which module may import which, read from the source, and what an import loads."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {
    "asha_bus": "asha_bus",
    "driver": "asha_bus.driver",
    "executor": "asha_bus.executor",
    "grafana": "asha_bus.grafana",
}

#: Imports run downwards only: from a floor to the ones above it in this list. A name
#: ending in a dot is a package, whose modules may import each other.
FLOORS = (
    ("core.errors", "core.messages", "core.latency", "core.log"),
    ("core.trial", "core.rung"),
    ("core.space.",),
    ("core.description",),
    ("core.schedulers.", "core.searchers.", "core.lease", "core.trials", "core.supply"),
    ("core.events", "core.roster", "core.curves"),
    ("core.waiting",),
    ("core.upcoming",),
    ("core.assignments",),
    ("core.searching", "core.ending"),
    ("core.experiment", "core.worker"),
    ("core.status",),
    ("wire",),
    ("journal",),
    ("objective", "options", "closure", "hyperopt_space", "hyperopt_labels", "tables"),
    ("shared", "data"),
    ("records", "hyperopt_results"),
    ("hyperopt_objective",),
    ("hyperopt_documents",),
    ("explain", "branches", "configurations", "parameters", "searchers."),
    ("page.", "plots", "testing."),
    ("result",),
    ("monitors.", "hyperopt_trials"),
    ("plan", "hyperopt_suggest"),
    ("hyperopt_arguments",),
    ("live",),
    ("run", "watch"),
    ("driver.", "executor."),
    ("launch", "dry_run"),
    ("fmin",),
    ("echo",),
    ("demo", "load_test", "grafana"),
    ("dashboard",),
    ("cli",),
)

#: The core computes, and nothing else.
CORE_MAY_USE = {
    "__future__",
    "abc",
    "array",
    "bisect",
    "collections",
    "dataclasses",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "html",
    "importlib",
    "inspect",
    "itertools",
    "math",
    "random",
    "statistics",
    "sys",
    "types",
    "typing",
}

#: Who may import which package of others, whether at the top or inside a function.
THIRD_PARTIES = {
    "IPython": {"monitors.notebook"},
    "cloudpickle": {"driver.local", "hyperopt_results", "shared", "testing.searchers"},
    "hyperopt": {"hyperopt_space", "hyperopt_suggest", "hyperopt_trials", "searchers.tpe"},
    "msgpack": {"wire", "journal", "driver.control"},
    "matplotlib": {"plots", "monitors.notebook"},
    "numpy": {"demo", "page.importance"},
    "optuna": {"searchers.optuna"},
    "pandas": {"result"},
    "prometheus_client": {"driver.collector", "driver.exporter"},
    "pyspark": {"driver.spark", "driver.ship", "executor.task", "hyperopt_results", "demo"},
    "sklearn": {"demo", "page.importance"},
    "threadpoolctl": {"demo"},
    "tornado": {"page.server"},
    "tqdm": {"monitors.progress"},
    "zmq": {"driver.router", "driver.auth", "executor.client", "load_test", "echo"},
}

#: These join the two sides of the bus; echo is the load test's own bare bus.
JOINERS = {"launch", "echo"}


def modules() -> dict[str, Path]:
    """Every module of the project by its import name, without the leading asha_bus."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = [*package.split("."), *path.relative_to(ROOT / folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts).removeprefix("asha_bus").removeprefix(".")] = path
    return found


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    """Full names of what ``path`` imports, but for what only a type checker sees."""
    return _imports(ast.parse(path.read_text(encoding="utf-8")).body)


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            for alias in node.names:
                is_module = f"{module}.{alias.name}".removeprefix("asha_bus.") in MODULES
                yield f"{module}.{alias.name}" if is_module else module
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _imports(node.orelse)
        else:
            inside = (getattr(node, name, []) for name in ("body", "orelse", "finalbody"))
            for statements in inside:
                yield from _imports(statements)
            for handler in getattr(node, "handlers", []):
                yield from _imports(handler.body)


def ours(name: str) -> list[str]:
    """What module ``name`` imports of the project."""
    found = [full for full in imports(MODULES[name]) if full.split(".")[0] == "asha_bus"]
    return [full.removeprefix("asha_bus").removeprefix(".") for full in found]


def others(name: str) -> set[str]:
    """The top-level packages of others that module ``name`` imports."""
    return {full.split(".")[0] for full in imports(MODULES[name])} - {"asha_bus"}


def floor(name: str) -> int:
    """The floor of module ``name``."""
    for number, entries in enumerate(FLOORS):
        if name in entries or any(f"{name}.".startswith(e) for e in entries if e.endswith(".")):
            return number
    raise AssertionError(f"{name} stands on no floor: add it to FLOORS")


def package(name: str) -> str:
    """The package among FLOORS that ``name`` is in; the name itself if it is in none."""
    entries = FLOORS[floor(name)]
    return next((e for e in entries if e.endswith(".") and f"{name}.".startswith(e)), name)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("", "core")])
def test_imports_run_downwards(name: str) -> None:
    for imported in ours(name):
        if imported and package(imported) != package(name):
            assert floor(imported) < floor(name), f"{name} imports {imported}"


def test_the_floors_name_nothing_twice() -> None:
    entries = [entry for floor in FLOORS for entry in floor]
    assert sorted(set(entries)) == sorted(entries)


def test_the_reader_sees_every_kind_of_import(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b\nfrom asha_bus import wire\nfrom asha_bus.core.errors import AshaBusError\n"
        "if TYPE_CHECKING:\n    import hidden\nelse:\n    import c\n"
        "def f():\n    with x:\n        import d\n"
        "class C:\n    try:\n        import e\n    except E:\n        import g\n"
    )
    expected = ["a.b", "asha_bus.formats.wire", "asha_bus.core.errors", "c", "d", "e", "g"]
    assert expected == list(imports(path))


@pytest.mark.parametrize("name", [name for name in MODULES if f"{name}.".startswith("core.")])
def test_the_core_is_pure(name: str) -> None:
    assert others(name) <= CORE_MAY_USE
    source = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            assert "random" not in {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            assert ["Random"] == [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval", "__import__")


@pytest.mark.parametrize("name", MODULES)
def test_packages_of_others_are_imported_where_they_belong(name: str) -> None:
    for found in others(name) - sys.stdlib_module_names:
        assert name in THIRD_PARTIES[found], f"{name} imports {found}"


def test_driver_and_executor_meet_in_launch_only() -> None:
    for name in MODULES:
        sides = {imported.split(".")[0] for imported in ours(name)} & {"driver", "executor"}
        side = name.split(".")[0]
        if side in ("driver", "executor"):
            assert sides <= {side}, f"{name} imports the other side"
        elif name not in JOINERS:
            assert len(sides) < 2, f"{name} imports both sides"


# --- what is installed -------------------------------------------------------


def test_every_package_is_installed() -> None:
    expected = {
        ".".join([package, *path.parent.relative_to(ROOT / folder).parts])
        for folder, package in FOLDERS.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert expected == set(PROJECT["tool"]["setuptools"]["packages"])
    assert {package: folder for folder, package in FOLDERS.items()} == (
        PROJECT["tool"]["setuptools"]["package-dir"]
    )


def test_every_folder_with_code_is_a_package() -> None:
    for path in MODULES.values():
        assert (path.parent / "__init__.py").exists(), f"{path.parent} lacks an __init__.py"


def test_what_is_imported_is_required() -> None:
    project = PROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    required = " ".join(requirement for listed in lists for requirement in listed)
    names = {
        "IPython": "ipykernel",
        "prometheus_client": "prometheus-client",
        "sklearn": "scikit-learn",
        "zmq": "pyzmq",
    }
    for package_of_others in THIRD_PARTIES:
        assert names.get(package_of_others, package_of_others) in required
