"""Tune parameters on Apache Spark with asynchronous early stopping and no checkpoints.

See `launch`. Importing this module loads neither pyspark nor pyzmq: what needs
them is resolved on first use, since Spark tasks also import this package.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from asha_bus._version import __version__
from asha_bus.core.checks import did_you_mean
from asha_bus.core.errors import (
    AshaBusError,
    BusError,
    InvalidArgument,
    JournalError,
    LocalProtocolError,
    ObjectiveError,
    ProtocolError,
    RemoteProtocolError,
    SchedulerError,
    SearcherError,
    WorkerError,
)
from asha_bus.core.schedulers import (
    ASHA,
    Decision,
    Hyperband,
    MedianStopping,
    Move,
    NoStopping,
    PromotionASHA,
    Scheduler,
    SchedulerState,
    SuccessiveHalving,
)
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import (
    Space,
    choice,
    func,
    grid,
    lognormal,
    loguniform,
    normal,
    option,
    ordinal,
    randint,
    uniform,
)
from asha_bus.core.trial import RungRecord, RungStanding, TrialState
from asha_bus.launching.options import BusOptions

if TYPE_CHECKING:
    from asha_bus.diagnosis._doctor import doctor
    from asha_bus.hyperopt._fmin import fmin
    from asha_bus.hyperopt.labels import space_eval
    from asha_bus.hyperopt.objective import STATUS_FAIL, STATUS_OK
    from asha_bus.hyperopt.space import from_hyperopt
    from asha_bus.hyperopt.trials import SparkTrials, Trials
    from asha_bus.launching._dry_run import dry_run
    from asha_bus.launching._launch import launch, start
    from asha_bus.launching.run import Run
    from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
    from asha_bus.monitors.file import FileMonitor
    from asha_bus.monitors.mlflow import MLflowMonitor
    from asha_bus.objective.behind import objective_kind
    from asha_bus.objective.kinds import Trial
    from asha_bus.results._runs import RunFile, runs
    from asha_bus.results.decisions import DecisionRecord
    from asha_bus.results.records import BusReport, TrialRecord
    from asha_bus.results.result import AllTrialsFailed, Result
    from asha_bus.searchers.base import Branch, Searcher
    from asha_bus.searchers.hooks import RunSummary
    from asha_bus.searchers.optuna import OptunaSearcher
    from asha_bus.searchers.tpe import TPE
    from asha_bus.simulation._simulate import simulate
    from asha_bus.simulation.outcome import Simulated

__all__ = [
    "ASHA",
    "STATUS_FAIL",
    "STATUS_OK",
    "TPE",
    "AllTrialsFailed",
    "AshaBusError",
    "Branch",
    "BusError",
    "BusOptions",
    "BusReport",
    "Decision",
    "DecisionRecord",
    "FileMonitor",
    "Hyperband",
    "InvalidArgument",
    "JournalError",
    "LocalProtocolError",
    "MLflowMonitor",
    "MedianStopping",
    "Monitor",
    "Move",
    "NoStopping",
    "ObjectiveError",
    "OptunaSearcher",
    "PromotionASHA",
    "ProtocolError",
    "RandomSearch",
    "RemoteProtocolError",
    "Result",
    "Run",
    "RunFile",
    "RunInfo",
    "RunSummary",
    "RungRecord",
    "RungStanding",
    "Scheduler",
    "SchedulerError",
    "SchedulerState",
    "Searcher",
    "SearcherError",
    "Simulated",
    "Snapshot",
    "Space",
    "SparkTrials",
    "SuccessiveHalving",
    "Trial",
    "TrialRecord",
    "TrialState",
    "Trials",
    "WorkerError",
    "__version__",
    "choice",
    "doctor",
    "dry_run",
    "fmin",
    "from_hyperopt",
    "func",
    "grid",
    "launch",
    "lognormal",
    "loguniform",
    "normal",
    "objective_kind",
    "option",
    "ordinal",
    "randint",
    "runs",
    "simulate",
    "space_eval",
    "start",
    "uniform",
]

#: What is imported on first use, by module.
_MODULES = {
    "diagnosis._doctor": ("doctor",),
    "hyperopt._fmin": ("fmin",),
    "hyperopt.labels": ("space_eval",),
    "hyperopt.objective": ("STATUS_FAIL", "STATUS_OK"),
    "hyperopt.space": ("from_hyperopt",),
    "hyperopt.trials": ("SparkTrials", "Trials"),
    "launching._dry_run": ("dry_run",),
    "launching._launch": ("launch", "start"),
    "launching.run": ("Run",),
    "monitors.base": ("Monitor", "RunInfo", "Snapshot"),
    "monitors.file": ("FileMonitor",),
    "monitors.mlflow": ("MLflowMonitor",),
    "objective.behind": ("objective_kind",),
    "objective.kinds": ("Trial",),
    "results._runs": ("RunFile", "runs"),
    "results.decisions": ("DecisionRecord",),
    "results.records": ("BusReport", "TrialRecord"),
    "results.result": ("AllTrialsFailed", "Result"),
    "searchers.base": ("Branch", "Searcher"),
    "searchers.hooks": ("RunSummary",),
    "searchers.optuna": ("OptunaSearcher",),
    "searchers.tpe": ("TPE",),
    "simulation._simulate": ("simulate",),
    "simulation.outcome": ("Simulated",),
}
_ON_USE = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}

#: What runs an objective.
_NEED_UNIX = {"doctor", "dry_run", "fmin", "launch", "start"}

#: What other tuners have under other names.
_INSTEAD = {
    **{f"q{name}": f"{name}(low, high, q=...)" for name in ("uniform", "loguniform", "randint")},
    **{f"q{name}": f"{name}(mu, sigma, q=...)" for name in ("normal", "lognormal")},
    **dict.fromkeys(("randn", "qrandn"), "normal(mu, sigma, q=None)"),
    "lograndint": "randint(low, high, log=True)",
    "qlograndint": "randint(low, high, q=..., log=True)",
    "grid_search": "grid(*values)",
    "sample_from": "func(function, *args)",
    "hp": "a space of hyperopt as it is: from hyperopt import hp",
    **dict.fromkeys(("ASHAScheduler", "AsyncHyperBandScheduler"), "ASHA(max_resource)"),
    "SuccessiveHalvingPruner": "ASHA(max_resource)",
    **dict.fromkeys(("HyperBandScheduler", "HyperbandPruner"), "Hyperband.classic(max_resource)"),
    **dict.fromkeys(("MedianStoppingRule", "MedianPruner"), "MedianStopping(max_resource)"),
    **dict.fromkeys(("TPESampler", "HyperOptSearch"), "TPE()"),
    **dict.fromkeys(("Tuner", "create_study"), "launch(objective, space)"),
    "TrialPruned": "return, once trial.report(...) has returned False",
}

if not TYPE_CHECKING:  # or else a type checker would believe in any name

    def __getattr__(name: str) -> object:
        if sys.platform == "win32" and name in _NEED_UNIX:
            raise AshaBusError(
                f"asha_bus.{name} needs Linux or macOS, since it uses processes and files as Unix "
                f"has them; on Windows, run it in WSL (https://learn.microsoft.com/windows/wsl)"
            )
        if name not in _ON_USE:
            use = f"; use {_INSTEAD[name]}" if name in _INSTEAD else did_you_mean(name, __all__)
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{use}")
        try:
            module = import_module(_ON_USE[name])
        except ModuleNotFoundError as error:
            if error.name not in ("asha_bus.driver", "asha_bus.executor"):
                raise
            folder = __file__.rpartition("/asha_bus/")[0]
            raise ImportError(
                f"{folder} holds the sources of asha-bus, and not an installed copy: run "
                f"pip install -e {folder}, or start the program in another folder"
            ) from error
        found = globals()[name] = getattr(module, name)
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
