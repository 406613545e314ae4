"""What all tests share."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

#: The same examples in every run: a test that passes passes again.
settings.register_profile("suite", derandomize=True, database=None, max_examples=80, **_COMMON)
#: New examples in every run, and many: HYPOTHESIS_PROFILE=explore, to look for more.
settings.register_profile("explore", max_examples=1_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

#: A test that takes longer is marked `slow`. Seconds; the end of a run lists those that lack it.
SLOW_S = 5.0


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """Close what a test drew: pyplot keeps its figures for the tests that come after."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def pytest_configure(config: pytest.Config) -> None:
    """Tests come in another order each time, but nothing sets the global random state."""
    if config.pluginmanager.hasplugin("randomly"):
        config.option.randomly_reset_seed = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that all processes end at the same time."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    for item in items:
        has_mark = item.get_closest_marker("spark") is not None
        if _USES_SPARK & set(getattr(item, "fixturenames", ())) and not has_mark:
            raise pytest.UsageError(f"{item.nodeid} uses Spark: mark it spark")
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid} has another id in each process: give it ids=")
        if has_mark and _scope(item.nodeid) not in ("spark", "clusters"):
            raise pytest.UsageError(
                f"{item.nodeid} is marked spark: have its file, name or id say spark"
            )
    items.sort(
        key=lambda item: (
            item.get_closest_marker("spark") is None,
            -slow[item.path],
            "integration" not in item.path.parts,
        )
    )


#: The fixtures with a Spark.
_USES_SPARK = {"spark", "cluster"}


def _scope(nodeid: str) -> str:
    """What goes to one process: a file, all tests with local Spark, or all with a cluster.

    More Sparks at a time are too much. Of a test, xdist tells no more than its name, so that says
    whether it is one with Spark.
    """
    path = nodeid.partition("::")[0]
    if not path.startswith("tests/integration/") or "spark" not in nodeid.lower():
        return path
    return "clusters" if "/test_spark_cluster" in path else "spark"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whole files go to a process, but tests with Spark to two of them."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class ByFile(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _scope(nodeid)

    config.option.loadscopereorder = False
    return ByFile(config, log) if config.option.dist == "loadfile" else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the tests that took longer than `SLOW_S` without the mark."""
    unmarked = [
        f"{report.duration:6.1f} s {report.nodeid}"
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and report.duration > SLOW_S and "slow" not in report.keywords
    ]
    if unmarked:
        terminalreporter.section("slow tests that are not marked slow")
        terminalreporter.write_line("\n".join(sorted(unmarked, reverse=True)))
