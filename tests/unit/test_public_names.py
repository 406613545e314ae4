"""What users import: that it is there, light, and documented."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import asha_bus

ROOT = Path(__file__).resolve().parents[2]

HEAVY = {
    "cloudpickle",
    "hyperopt",
    "matplotlib",
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


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh process."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code],
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
    with pytest.raises(AttributeError, match="has no attribute 'lunch'"):
        getattr(asha_bus, "lunch")  # noqa: B009 - a type checker would refuse the attribute


def test_the_function_wins_over_the_module_of_its_name() -> None:
    import_module("asha_bus.launching._launch")
    assert inspect.isfunction(asha_bus.launch)


@pytest.mark.parametrize("module", ["bench.demo", "bench.load"])
def test_it_stays_the_function_whatever_was_imported_before(module: str, tmp_path: Path) -> None:
    code = f"import asha_bus.bench.{module}, inspect; assert inspect.isfunction(asha_bus.launch)"
    done = python(code, tmp_path)
    assert 0 == done.returncode, done.stderr


def test_errors_are_all_public() -> None:
    errors = import_module("asha_bus.core.errors")
    assert set(errors.__all__) <= set(asha_bus.__all__)
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")


def code_of(module: ModuleType) -> list[tuple[str, object]]:
    """Everything public that ``module`` defines, methods included, with its name."""
    found: list[tuple[str, object]] = [(module.__name__, module)]
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value) or inspect.isfunction(value):
            found.append((f"{module.__name__}.{name}", value))
        if inspect.isclass(value):
            for method in vars(value):
                member = getattr(value, method)  # a property, too, and what it inherits
                if not method.startswith("_") and (
                    callable(member) or isinstance(member, property)
                ):
                    found.append((f"{module.__name__}.{name}.{method}", member))
    return found


@pytest.mark.parametrize(
    "path",
    [p for folder in ("asha_bus", "driver", "executor") for p in (ROOT / folder).rglob("*.py")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_everything_public_is_documented(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "asha_bus":
        parts = ("asha_bus", *parts)
    module = import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    for name, value in code_of(module):
        assert inspect.getdoc(value), f"{name} has no docstring, nor does what it overrides"
