"""Runs programs written for Optuna: ``import asha_bus.optuna as optuna``.

`create_study`, `Study` and `MlflowSparkStudy` are asha-bus's own, `load_study` is refused, and
every other name is Optuna's.
All are resolved on first use, since workers import this package for their objectives.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import (
        Trial,
        TrialPruned,
        create_trial,
        distributions,
        exceptions,
        importance,
        logging,
        pruners,
        samplers,
        storages,
        study,
        trial,
        visualization,
    )

    from asha_bus.optuna._study import MlflowSparkStudy, Study, create_study, load_study

__all__ = [
    "MlflowSparkStudy",
    "Study",
    "Trial",
    "TrialPruned",
    "create_study",
    "create_trial",
    "distributions",
    "exceptions",
    "importance",
    "load_study",
    "logging",
    "pruners",
    "samplers",
    "storages",
    "study",
    "trial",
    "visualization",
]

_OWN = ("MlflowSparkStudy", "Study", "create_study", "load_study")

if not TYPE_CHECKING:  # or else a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        module = f"{__name__}._study" if name in _OWN else "optuna"
        try:
            found = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if error.name != "optuna":
                raise
            raise ImportError(
                "asha_bus.optuna needs Optuna: pip install 'asha-bus[optuna]'"
            ) from error
        globals()[name] = found
        return found
