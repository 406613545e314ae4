"""Tune parameters on Apache Spark with asynchronous early stopping and no checkpoints.

See `launch`. Importing this module loads neither pyspark nor pyzmq: what needs
them is resolved on first use, since a Spark task imports this package, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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
from asha_bus.launching.options import BusOptions

if TYPE_CHECKING:
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
    from asha_bus.objective.kinds import Trial
    from asha_bus.results.records import BusReport, TrialRecord
    from asha_bus.results.result import AllTrialsFailed, Result
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
    "from_hyperopt",
    "func",
    "grid",
    "launch",
    "lognormal",
    "loguniform",
    "normal",
    "ordinal",
    "randint",
    "space_eval",
    "start",
    "uniform",
]

_ON_USE = {
    "AllTrialsFailed": "asha_bus.results.result",
    "Branch": "asha_bus.searchers.base",
    "BusReport": "asha_bus.results.records",
    "FileMonitor": "asha_bus.monitors.file",
    "Monitor": "asha_bus.monitors.base",
    "OptunaSearcher": "asha_bus.searchers.optuna",
    "Result": "asha_bus.results.result",
    "Run": "asha_bus.launching.run",
    "RunInfo": "asha_bus.monitors.base",
    "Searcher": "asha_bus.searchers.base",
    "Snapshot": "asha_bus.monitors.base",
    "TPE": "asha_bus.searchers.tpe",
    "Trial": "asha_bus.objective.kinds",
    "STATUS_FAIL": "asha_bus.hyperopt.objective",
    "STATUS_OK": "asha_bus.hyperopt.objective",
    "SparkTrials": "asha_bus.hyperopt.trials",
    "TrialRecord": "asha_bus.results.records",
    "Trials": "asha_bus.hyperopt.trials",
    "dry_run": "asha_bus.launching._dry_run",
    "fmin": "asha_bus.hyperopt._fmin",
    "from_hyperopt": "asha_bus.hyperopt.space",
    "launch": "asha_bus.launching._launch",
    "space_eval": "asha_bus.hyperopt.labels",
    "start": "asha_bus.launching._launch",
}


if not TYPE_CHECKING:  # or else a type checker would believe in any name

    def __getattr__(name: str) -> object:
        if name not in _ON_USE:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}{did_you_mean(name, __all__)}"
            )
        found = globals()[name] = getattr(import_module(_ON_USE[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
