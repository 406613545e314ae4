"""Tune parameters on Apache Spark with asynchronous early stopping and no checkpoints.

See `launch`. Importing this module loads neither pyspark nor pyzmq: what needs
them is resolved on first use, since a Spark task imports this package, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asha_bus.core.errors import (
    AshaBusError,
    BusError,
    InvalidArgument,
    JournalError,
    LocalProtocolError,
    ObjectiveError,
    ProtocolError,
    RemoteProtocolError,
    SearcherError,
    WorkerError,
)
from asha_bus.core.schedulers import ASHA, NoStopping
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import (
    Space,
    choice,
    func,
    grid,
    lognormal,
    loguniform,
    normal,
    ordinal,
    randint,
    uniform,
)
from asha_bus.core.trial import RungRecord, TrialState
from asha_bus.options import BusOptions

if TYPE_CHECKING:
    from asha_bus.dry_run import dry_run
    from asha_bus.fmin import fmin
    from asha_bus.hyperopt_labels import space_eval
    from asha_bus.hyperopt_objective import STATUS_FAIL, STATUS_OK
    from asha_bus.hyperopt_trials import SparkTrials, Trials
    from asha_bus.launch import launch
    from asha_bus.monitors.base import Monitor, RunInfo, Snapshot
    from asha_bus.monitors.file import FileMonitor
    from asha_bus.objective import Trial
    from asha_bus.records import BusReport, TrialRecord
    from asha_bus.result import AllTrialsFailed, Result
    from asha_bus.run import Run
    from asha_bus.searchers.base import Branch, Searcher
    from asha_bus.searchers.optuna import OptunaSearcher
    from asha_bus.searchers.tpe import TPE

__version__ = "0.1.0"

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
    "FileMonitor",
    "InvalidArgument",
    "JournalError",
    "LocalProtocolError",
    "Monitor",
    "NoStopping",
    "ObjectiveError",
    "OptunaSearcher",
    "ProtocolError",
    "RandomSearch",
    "RemoteProtocolError",
    "Result",
    "Run",
    "RunInfo",
    "RungRecord",
    "Searcher",
    "SearcherError",
    "Snapshot",
    "Space",
    "SparkTrials",
    "Trial",
    "TrialRecord",
    "TrialState",
    "Trials",
    "WorkerError",
    "__version__",
    "choice",
    "dry_run",
    "fmin",
    "func",
    "grid",
    "launch",
    "lognormal",
    "loguniform",
    "normal",
    "ordinal",
    "randint",
    "space_eval",
    "uniform",
]

_ON_USE = {
    "AllTrialsFailed": "asha_bus.result",
    "Branch": "asha_bus.searchers.base",
    "BusReport": "asha_bus.records",
    "FileMonitor": "asha_bus.monitors.file",
    "Monitor": "asha_bus.monitors.base",
    "OptunaSearcher": "asha_bus.searchers.optuna",
    "Result": "asha_bus.result",
    "Run": "asha_bus.run",
    "RunInfo": "asha_bus.monitors.base",
    "Searcher": "asha_bus.searchers.base",
    "Snapshot": "asha_bus.monitors.base",
    "TPE": "asha_bus.searchers.tpe",
    "Trial": "asha_bus.objective",
    "STATUS_FAIL": "asha_bus.hyperopt_objective",
    "STATUS_OK": "asha_bus.hyperopt_objective",
    "SparkTrials": "asha_bus.hyperopt_trials",
    "TrialRecord": "asha_bus.records",
    "Trials": "asha_bus.hyperopt_trials",
    "dry_run": "asha_bus.dry_run",
    "fmin": "asha_bus.fmin",
    "launch": "asha_bus.launch",
    "space_eval": "asha_bus.hyperopt_labels",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_ON_USE[name]), name)
    # the function must win over the submodule of the same name
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
