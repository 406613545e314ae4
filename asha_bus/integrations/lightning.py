"""Lightning: a callback that reports each epoch."""

from __future__ import annotations

from typing import Any

from asha_bus.integrations.reporting import Reporter, missing
from asha_bus.objective.kinds import Trial

try:
    from lightning.pytorch import Callback
except ImportError as error:
    raise missing("Lightning", "lightning") from error


class ReportCallback(Callback):
    """Report a metric after each epoch, and end the training when the trial stops.

    The other numbers that the module has logged are kept as extras. The metric must be logged
    in each epoch, so validate in each. A trial trains in one process: pass ``devices=1``.

    Args:
        trial: The trial that the objective gets.
        metric: The name by which the module logs the metric, such as ``"val_loss"``. Pass
            ``launch(mode="max")`` where larger is better.

    Raises:
        InvalidArgument: ``trial`` is not a trial, or ``metric`` is not a string.
        ObjectiveError: After the first epoch, if the module does not log ``metric``. The trial
            fails.

    Example:
        >>> def train(trial):
        ...     report = ReportCallback(trial, "val_loss")
        ...     lightning.Trainer(max_epochs=81, callbacks=[report]).fit(Module(**trial.params))
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        self._reporter = Reporter(trial, metric)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report, and stop if the trial is to; the validation of this epoch is over."""
        if not self._reporter.goes_on(trainer.callback_metrics):
            trainer.should_stop = True
