"""What users import: that it is there, light, and documented."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from enum import Enum
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import pytest
from support.documented import undocumented

import asha_bus

ROOT = Path(__file__).resolve().parents[2]

HEAVY = {
    "cloudpickle",
    "hyperopt",
    "matplotlib",
    "mlflow",
    "msgpack",
    "numpy",
    "optuna",
    "pandas",
    "prometheus_client",
    "py4j",
    "pyspark",
    "sklearn",
    "tqdm",
    "zmq",
}

#: Modules whose frameworks only tests/frameworks has.
LARGE = ("keras", "lightning", "transformers")

LAUNCH = """
import sys
for name in ("pyspark", "py4j", "pandas", "numpy"):
    sys.modules[name] = None  # whoever imports it gets an ImportError

def objective(x):
    import sys
    return float("pyspark" in sys.modules)

import asha_bus
result = asha_bus.launch(
    objective, {"x": asha_bus.uniform(0, 1)}, max_trials=2, workers=1, engine="local", monitor=None
)
assert [0.0, 0.0] == [trial.metric for trial in result.trials], result
assert not {name.partition(".")[0] for name, module in sys.modules.items() if module} & {"pyspark"}
"""


def python(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh process."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_asha_bus_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, asha_bus; print(*{name.partition('.')[0] for name in sys.modules})"
    done = python(code, tmp_path)
    assert 0 == done.returncode, done.stderr
    loaded = set(done.stdout.split())
    assert "asha_bus" in loaded
    assert not loaded & HEAVY


def test_the_local_engine_needs_no_spark(tmp_path: Path) -> None:
    done = python(LAUNCH, tmp_path)
    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("folder", ["driver", "executor", "grafana"])
def test_a_folder_is_not_imported_by_its_own_name(folder: str) -> None:
    done = python(f"import {folder}", ROOT)
    assert 1 == done.returncode
    assert done.stderr.strip().splitlines()[-1] == (
        f"ImportError: this package is asha_bus.{folder}, but was imported as '{folder}': "
        f"install the project (pip install -e .) and import asha_bus.{folder}"
    )


def test_every_public_name_is_there() -> None:
    assert sorted(set(asha_bus.__all__)) == sorted(asha_bus.__all__) == dir(asha_bus)
    for name in asha_bus.__all__:
        assert getattr(asha_bus, name) is not None


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("lunch", "; did you mean 'launch'?"),
        ("Runs", "; did you mean 'Run'?"),
        ("quniform", "; use uniform(low, high, q=...)"),
        ("qlognormal", "; use lognormal(mu, sigma, q=...)"),
        ("lograndint", "; use randint(low, high, log=True)"),
        ("grid_search", "; use grid(*values)"),
        ("sample_from", "; use func(function, *args)"),
        ("ASHAScheduler", "; use ASHA(max_resource)"),
        ("MedianPruner", "; use MedianStopping(max_resource)"),
        ("create_study", "; use launch(objective, space)"),
        ("TrialPruned", "; use return, once trial.report(...) has returned False"),
        ("zebra", ""),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest_one(name: str, end: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(asha_bus, name)
    assert f"module 'asha_bus' has no attribute {name!r}{end}" == str(caught.value)


def test_no_module_takes_the_place_of_a_public_name() -> None:
    modules = {module.name for module in iter_modules(asha_bus.__path__)}
    assert {"cli", "launching"} <= modules
    assert not modules & set(asha_bus.__all__)


#: Imports what it is given, then looks what the public names are.
LOOKS = """
import sys
from enum import Enum
from importlib import import_module
from types import ModuleType
for module in sys.argv[1:]:
    import_module(module)
import asha_bus
for name in asha_bus.__all__:
    found = getattr(asha_bus, name)
    assert not isinstance(found, ModuleType), name
    assert getattr(found, "__name__", name) == name, name
"""

EVERY_MODULE = sorted(
    module.name
    for module in walk_packages(asha_bus.__path__, "asha_bus.")
    if module.name.rpartition(".")[2] not in {"__main__", *LARGE}
)


@pytest.mark.parametrize(
    "modules",
    [
        [],
        ["asha_bus.bench.demo"],
        ["asha_bus.bench.load"],
        ["asha_bus.hyperopt._fmin"],
        ["asha_bus.launching._dry_run"],
        ["asha_bus.launching._launch"],
        EVERY_MODULE,
    ],
    ids=lambda modules: modules[0] if len(modules) == 1 else f"{len(modules)} modules",
)
def test_a_name_stays_what_it_is_whatever_was_imported_before(
    modules: list[str], tmp_path: Path
) -> None:
    done = python(LOOKS, tmp_path, *modules)
    assert 0 == done.returncode, done.stderr


def test_errors_are_all_public() -> None:
    errors = import_module("asha_bus.core.errors")
    assert set(errors.__all__) <= set(asha_bus.__all__)
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")


@pytest.mark.parametrize(
    "path",
    [
        path
        for folder in ("asha_bus", "driver", "executor")
        for path in (ROOT / folder).rglob("*.py")
        if path.stem not in LARGE
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_everything_public_is_documented(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "asha_bus":
        parts = ("asha_bus", *parts)
    module = import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert [] == undocumented(module)


def arguments_of(value: object) -> list[str]:
    """The names of the arguments that a user gives: a `Run` and an exception come from us."""
    is_ours = inspect.isclass(value) and issubclass(value, (Exception, Enum, asha_bus.Run))
    if not callable(value) or is_ours:
        return []
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # a tuple of a fixed size, say
        return []
    return [each.name for each in parameters]


def described_in(doc: str) -> set[str]:
    """The names in the section "Args:", or of a class that is only read, "Attributes:"."""
    found = re.search(r"^(?:Args|Attributes):\n((?:    .*\n|\n)+)", doc + "\n", re.MULTILINE)
    return set(re.findall(r"^    \*{0,2}(\w+):", found[1], re.MULTILINE)) if found else set()


@pytest.mark.parametrize("name", [name for name in asha_bus.__all__ if name != "__version__"])
def test_each_argument_of_a_public_name_is_described(name: str) -> None:
    value = getattr(asha_bus, name)
    missing = set(arguments_of(value)) - described_in(inspect.getdoc(value) or "")
    assert not missing


def test_start_takes_the_arguments_of_launch() -> None:
    ours, theirs = map(inspect.signature, (asha_bus.start, asha_bus.launch))
    assert theirs.parameters == ours.parameters
    assert ("Run", "Result") == (str(ours.return_annotation), str(theirs.return_annotation))
    assert "mode: Literal['min', 'max'] = 'min'" in str(ours)
    assert "spark: SparkSession | None = None" in str(ours)
