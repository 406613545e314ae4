"""Checked arguments of a launch, without a launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asha_bus import Space, uniform
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.launching.plan import Plan, make_plan

#: What `asha_bus.launch` passes on where the user gave nothing.
DEFAULTS: dict[str, Any] = {
    "mode": "min",
    "scheduler": None,
    "searcher": None,
    "max_trials": None,
    "max_time": None,
    "max_total_resource": None,
    "stop_at": None,
    "stop_trial": None,
    "stop_run": None,
    "engine": "spark",
    "workers": None,
    "seed": None,
    "name": None,
    "monitor": "progress",
    "bus": None,
    "journal": None,
    "resume": False,
    "retry_failed": False,
    "trial_timeout": None,
    "max_failures": None,
    "fail_fast": False,
    "capture_output": False,
    "data": None,
    "artifacts": None,
    "keep_artifacts": 1,
    "history": None,
    "initial": None,
    "unique": False,
    "repeats": 1,
    "retries": 0,
    "curves": True,
    "metrics_port": None,
    "page": False,
}

ENDLESS = Space(x=uniform(0, 1))


def square(x: float) -> float:
    return x * x


def plan_for(
    objective: Callable[..., Any] = square, space: Any = ENDLESS, **arguments: Any
) -> Plan:
    """The plan of ``launch(objective, space, **arguments)``."""
    return make_plan(LaunchArguments(objective, space, **arguments))
