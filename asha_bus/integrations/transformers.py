"""Transformers: a callback that reports each evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asha_bus.integrations.reporting import Reporter, missing
from asha_bus.objective.kinds import Trial

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise missing("Transformers", "transformers") from error


class ReportCallback(TrainerCallback):
    """Report a metric at each evaluation, and end the training when the trial stops.

    An evaluation during the training is one unit of resource: an epoch with
    ``eval_strategy="epoch"``. The other numbers that the Trainer has measured are kept as extras.

    Args:
        trial: The trial that the objective gets.
        metric: The name of the metric, such as ``"eval_loss"``. Pass ``launch(mode="max")``
            where larger is better.

    Raises:
        InvalidArgument: ``trial`` is not a trial, or ``metric`` is not a string.
        ObjectiveError: At the first evaluation, if the Trainer does not measure ``metric``. The
            trial fails.

    Example:
        >>> def train(trial):
        ...     given = TrainingArguments("out", eval_strategy="epoch", **trial.params)
        ...     report = ReportCallback(trial, "eval_loss")
        ...     Trainer(build(), given, train_dataset=x, eval_dataset=y, callbacks=[report]).train()
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        self._reporter = Reporter(trial, metric)
        self._is_training = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report what is evaluated from now on."""
        self._is_training = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave what is evaluated later to the user."""
        self._is_training = False

    def on_evaluate(
        self,
        args: Any,
        state: Any,
        control: Any,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Report, and stop if the trial is to."""
        if self._is_training and not self._reporter.goes_on(metrics or {}):
            control.should_training_stop = True
