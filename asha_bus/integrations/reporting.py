"""What the callbacks of all frameworks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.formats.wire import MAX_EXTRAS
from asha_bus.objective.kinds import Trial


class Reporter:
    """Reports one of the numbers that a framework has measured as the metric of a trial.

    ``sort_metric`` makes of it what is reported; without it, the number is.
    """

    def __init__(
        self, trial: Trial, metric: str, sort_metric: Callable[[float], float] | None = None
    ) -> None:
        if not isinstance(trial, Trial):
            raise InvalidArgument(
                f"ReportCallback: trial is {shortened(trial)}; pass the trial that an objective "
                f"gets whose first argument is named trial"
            )
        if not isinstance(metric, str):
            raise InvalidArgument(
                f"ReportCallback: metric is {shortened(metric)}; pass its name, a string"
            )
        self._trial = trial
        self._metric = metric
        self._sort_metric = sort_metric

    def goes_on(self, measured: Mapping[str, Any]) -> bool:
        """Report the metric, and the other numbers as extras; False: the trial is to stop."""
        if self._metric not in measured:
            names = ", ".join(measured) or "nothing"
            raise ObjectiveError(
                f"metric {self._metric!r} is not among what was measured: {names}; use one of "
                f"these names, or have the framework measure {self._metric!r}"
            )
        value = measured[self._metric]
        extras = {name: measured[name] for name in measured if name != "resource"}
        if self._sort_metric is None:
            extras.pop(self._metric, None)
        else:
            value = self._sort_metric(value)
        return self._trial.report(value, **dict(islice(extras.items(), MAX_EXTRAS)))


def missing(framework: str, module: str, extra: str | None = None) -> ImportError:
    """The error where ``framework`` cannot be imported; ``extra`` has the module's name."""
    return ImportError(
        f"asha_bus.integrations.{module} needs {framework}: "
        f"pip install 'asha-bus[{extra or module}]'"
    )
