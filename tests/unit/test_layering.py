"""The layers: that import-linter sees all of the project, and what it cannot hold."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from generate import layers

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
LAYERS = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]

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
    "gc",  # to see what an object refers to without running its code
    "heapq",
    "html",
    "inspect",
    "itertools",
    "math",
    "random",
    "re",
    "statistics",
    "sys",
    "types",
    "typing",
}

#: Who may import which package of others, whether at the top or inside a function.
THIRD_PARTIES = {
    "IPython": {"monitors.notebook"},
    "cloudpickle": {"objective.shared", "testing.searchers"},
    "fsspec": {"objective.kept_remote"},
    "hyperopt": {"hyperopt.space", "hyperopt.suggest", "hyperopt.trials", "searchers.tpe"},
    "keras": {"integrations.keras"},
    "lightgbm": {"integrations.lightgbm"},
    "lightning": {"integrations.lightning"},
    "matplotlib": {"results._compare", "results.parallel", "results.plots", "monitors.notebook"},
    "mlflow": {"monitors.mlflow"},
    "msgpack": {"formats.wire", "formats.records", "formats.pipe", "integrations.spark_ml"},
    "numpy": {"bench.demo", "results.importance"},
    "optuna": {
        "optuna",
        "optuna._study",
        "optuna.exporting",
        "optuna.filling",
        "optuna.objective",
        "optuna.outcomes",
        "optuna.schedulers",
        "optuna.searcher",
        "optuna.bus_trial",
        "searchers.optuna",
    },
    "pandas": {"results.frame"},
    "prometheus_client": {"driver.collector", "driver.exporter", "driver.scraping"},
    "pyspark": {
        "bench.demo",
        "driver.ship",
        "driver.spark",
        "driver.probe",
        "driver.spark_calls",
        "driver.spark_session",
        "driver.spark_survey",
        "driver.spark_tasks",
        "executor.task",
        "integrations.spark_ml",
        "objective.shared",
    },
    "sklearn": {"bench.demo", "integrations.sklearn", "results.importance"},
    "threadpoolctl": {"bench.demo"},
    "tornado": {"page.server"},
    "tqdm": {"monitors.progress"},
    "transformers": {"integrations.transformers"},
    "xgboost": {"integrations.xgboost"},
    "zmq": {
        *("bench.clients", "bench.echo", "bench.load"),
        *("driver.auth", "driver.bus_socket", "driver.echo", "driver.router"),
        *("executor.client", "executor.echo"),
    },
}

#: These join the two sides of the bus; echo is the load test's own bare bus.
JOINERS = {"launching._launch", "diagnosis._doctor", "bench.clients", "bench.echo"}


def modules() -> dict[str, Path]:
    """Every module of the project by its import name, without the leading asha_bus."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = [*package.split("."), *path.relative_to(ROOT / folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[short(".".join(parts))] = path
    return found


def short(module: str) -> str:
    """The name of ``module`` without the leading asha_bus."""
    return module.removeprefix("asha_bus").removeprefix(".")


MODULES = modules()
CORE = [name for name in MODULES if f"{name}.".startswith("core.")]

GRAPH = """
import grimp, json
graph = grimp.build_graph(
    "asha_bus",
    include_external_packages=True,
    exclude_type_checking_imports=True,
    cache_dir=None,
)
print(json.dumps({m: sorted(graph.find_modules_directly_imported_by(m)) for m in graph.modules}))
"""


def copy_to(folder: Path) -> Path:
    """The packages where they are installed, which the repository maps to other places."""
    for source, package in FOLDERS.items():
        shutil.copytree(ROOT / source, folder.joinpath(*package.split(".")))
    return folder


def graph_of(copy: Path) -> dict[str, set[str]]:
    """What each module of ``copy`` imports, as import-linter sees it."""
    done = subprocess.run(
        [sys.executable, "-c", GRAPH], cwd=copy, capture_output=True, text=True, check=True
    )
    return {short(name): {*map(short, found)} for name, found in json.loads(done.stdout).items()}


def lint(copy: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on ``copy``."""
    command = ["lint-imports", "--no-cache", "--no-logo", str(ROOT / "pyproject.toml")]
    command[0] = str(Path(sys.executable).with_name(command[0]))
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What each module imports, of the project and of others."""
    return graph_of(copy_to(tmp_path_factory.mktemp("copy")))


def test_imports_run_downwards(tmp_path: Path) -> None:
    done = lint(copy_to(tmp_path))
    assert 0 == done.returncode, done.stdout
    analyzed = re.search(r"Analyzed (\d+) files", done.stdout)
    assert analyzed, done.stdout
    assert len(MODULES) == int(analyzed[1])


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("driver/wrong.py", "asha_bus.launching._launch"),
        ("driver/wrong.py", "asha_bus.executor.task"),
        ("driver/router.py", "asha_bus"),
        ("executor/runner.py", "asha_bus"),
        ("launching/run.py", "asha_bus"),
        ("grafana/wrong.py", "asha_bus.driver.metrics"),
        ("executor/wrong.py", "asha_bus.driver.spark"),
        ("grafana/wrong.py", "asha_bus.cli"),
        ("core/space/wrong.py", "asha_bus.formats.wire"),
        ("core/trial.py", "asha_bus.core.space"),
        ("launching/plan.py", "asha_bus.launching.run"),
    ],
)
def test_an_import_upwards_is_found(module: str, imported: str, tmp_path: Path) -> None:
    path = copy_to(tmp_path) / "asha_bus" / module
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n\ndef wrong() -> None:\n    import {imported}\n")
    done = lint(tmp_path)
    assert 1 == done.returncode
    name = f"asha_bus.{module.removesuffix('.py').replace('/', '.')}"
    assert f"{name} -> {imported}" in done.stdout


def test_a_circle_is_found(tmp_path: Path) -> None:
    folder = copy_to(tmp_path) / "asha_bus" / "driver"
    (folder / "a.py").write_text("import asha_bus.driver.b\n")
    (folder / "b.py").write_text("import asha_bus.driver.a\n")
    done = lint(tmp_path)
    assert 1 == done.returncode
    assert "No modules of one folder import each other in a circle BROKEN" in done.stdout


def test_every_kind_of_import_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "asha_bus"
    folder.mkdir()
    for name in ("__init__", "a", "b"):
        (folder / f"{name}.py").write_text("")
    (folder / "module.py").write_text(
        "import json.decoder\nfrom asha_bus import a\nfrom asha_bus.b import x\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import hidden\nelse:\n    import c\n"
        "def f():\n    with x:\n        import d\n"
        "class C:\n    try:\n        import e\n    except E:\n        import g\n"
    )
    assert {*"abcdeg", "json", "typing"} == graph_of(tmp_path)["module"]


def test_every_module_is_in_a_layer(imports: dict[str, set[str]]) -> None:
    layered = {short(name) for line in LAYERS for name in re.split(r" [|:] ", line)}
    for name in MODULES:
        parts = name.split(".")
        if not {".".join(parts[: i + 1]) for i in range(len(parts))} & layered:
            is_split = any(one.startswith(f"{name}.") or not name for one in layered)
            assert is_split, f"{name} is in no layer: add it to the list in pyproject.toml"
            own = imports[name] & {*MODULES}
            assert not name or not own, f"{name} has its modules in several layers"


def test_the_table_of_layers_is_that_of_the_list() -> None:
    assert 0 == layers.main(["--check"])


@pytest.mark.parametrize("name", CORE)
def test_the_core_is_pure(name: str, imports: dict[str, set[str]]) -> None:
    others = {found for found in imports[name] if found not in MODULES}
    assert others <= CORE_MAY_USE
    source = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            assert "random" not in {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            assert ["Random"] == [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval", "__import__")


def test_ruff_bans_in_the_core_what_imports_and_runs_by_name() -> None:
    code = (
        "import importlib\nimport pickle\nfrom importlib import import_module\n"
        "eval('1')\nexec('1')\nopen('x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--no-cache"]
        + ["--stdin-filename", str(ROOT / "asha_bus/core/wrong.py"), "-"],
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    banned = {int(line) for line in re.findall(r":(\d+):\d+: (?:PTH|S1|S3|TID)", done.stdout)}
    assert {1, 2, 3, 4, 5, 6} == banned, done.stdout


@pytest.mark.parametrize("name", MODULES)
def test_packages_of_others_are_imported_where_they_belong(
    name: str, imports: dict[str, set[str]]
) -> None:
    for found in imports[name] - MODULES.keys() - sys.stdlib_module_names:
        assert name in THIRD_PARTIES[found], f"{name} imports {found}"


def test_driver_and_executor_meet_in_launch_only(imports: dict[str, set[str]]) -> None:
    for name, found in imports.items():
        sides = {imported.split(".")[0] for imported in found} & {"driver", "executor"}
        if name not in JOINERS and name in MODULES:
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
