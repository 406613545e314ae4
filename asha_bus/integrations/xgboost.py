"""XGBoost: a callback that reports each round."""

from __future__ import annotations

from typing import Any

from asha_bus.integrations.reporting import Reporter, missing
from asha_bus.objective.kinds import Trial

try:
    from xgboost import Booster
    from xgboost.callback import TrainingCallback
except ImportError as error:
    raise missing("XGBoost", "xgboost") from error


class ReportCallback(TrainingCallback):
    """Report a metric after each boosting round, and end the training when the trial stops.

    A round is one unit of resource. The other numbers that XGBoost has evaluated are kept as
    extras. It works in ``xgboost.train``, in the estimators, and in ``xgboost.cv``, where it
    reports the mean over the folds.

    Args:
        trial: The trial that the objective gets.
        metric: The name of the metric as XGBoost prints it: the name of the data, ``-``, and
            the name of the measure, as in ``"validation_0-logloss"``. Pass
            ``launch(mode="max")`` where larger is better.

    Raises:
        InvalidArgument: ``trial`` is not a trial, or ``metric`` is not a string.
        ObjectiveError: In the first round, if XGBoost does not evaluate ``metric``. The trial
            fails.

    Example:
        >>> def train(trial):
        ...     report = ReportCallback(trial, "val-logloss")
        ...     evals = [(held_out, "val")]
        ...     xgboost.train(trial.params, data, 100, evals=evals, callbacks=[report])
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        super().__init__()
        self._reporter = Reporter(trial, metric)

    def after_iteration(self, model: Any, epoch: int, evals_log: TrainingCallback.EvalsLog) -> bool:
        """Report; True ends the training."""
        measured: dict[str, Any] = {}
        for data, measures in evals_log.items():
            for measure, values in measures.items():
                last = values[-1]  # with the spread over the folds of a cross-validation
                measured[f"{data}-{measure}"] = last[0] if isinstance(last, tuple) else last
        if self._reporter.goes_on(measured):
            return False
        if not isinstance(model, Booster):  # folds, whose results are cut after the best round
            model.set_attr(best_iteration=str(epoch))
        return True
