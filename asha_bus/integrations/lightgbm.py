"""LightGBM: a callback that reports each round."""

from __future__ import annotations

from asha_bus.integrations.reporting import Reporter, missing
from asha_bus.objective.kinds import Trial

try:
    from lightgbm import EarlyStopException
    from lightgbm.callback import CallbackEnv
except ImportError as error:
    raise missing("LightGBM", "lightgbm") from error


class ReportCallback:
    """Report a metric after each boosting round, and end the training when the trial stops.

    A round is one unit of resource. The other numbers that LightGBM has evaluated are kept as
    extras. It works in ``lightgbm.train``, in the estimators, and in ``lightgbm.cv``, where it
    reports the mean over the folds.

    Args:
        trial: The trial that the objective gets.
        metric: The name of the data, ``-``, and the name of the measure, as in
            ``"valid_0-binary_logloss"``. Pass ``launch(mode="max")`` where larger is better.

    Raises:
        InvalidArgument: ``trial`` is not a trial, or ``metric`` is not a string.
        ObjectiveError: In the first round, if LightGBM does not evaluate ``metric``. The trial
            fails.

    Example:
        >>> def train(trial):
        ...     report = ReportCallback(trial, "valid_0-l2")
        ...     lightgbm.train(trial.params, data, valid_sets=[held_out], callbacks=[report])
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        self._reporter = Reporter(trial, metric)

    def __call__(self, env: CallbackEnv) -> None:
        """Report; LightGBM ends the training by an exception of its own."""
        results = env.evaluation_result_list or []
        measured = {f"{data}-{measure}": value for data, measure, value, *_ in results}
        if not self._reporter.goes_on(measured):
            raise EarlyStopException(env.iteration, results)
