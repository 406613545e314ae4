"""Keras 3: a callback that reports each epoch, and a training to fill in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import shortened, shown_params
from asha_bus.core.errors import ObjectiveError
from asha_bus.core.space import Space
from asha_bus.integrations.reporting import Reporter, missing
from asha_bus.objective.kinds import Trial

try:
    import keras
except ImportError as error:
    raise missing("Keras", "keras") from error

if TYPE_CHECKING:
    from asha_bus.launching._dry_run import DryRun


class ReportCallback(keras.callbacks.Callback):
    """Report a metric after each epoch, and end the training when the trial stops.

    The other numbers that Keras has measured are kept as extras.

    Args:
        trial: The trial that the objective gets.
        metric: The name of the metric in the history of Keras, such as ``"val_loss"``.
        sort_metric: A function that makes of the metric what is reported. None (default): the
            metric is reported; pass ``launch(mode="max")`` where larger is better.

    Raises:
        InvalidArgument: ``trial`` is not a trial, or ``metric`` is not a string.
        ObjectiveError: After the first epoch, if Keras does not measure ``metric``. The trial
            fails.

    Example:
        >>> def train(trial):
        ...     model = build(**trial.params)
        ...     report = ReportCallback(trial, "val_loss")
        ...     model.fit(x, y, epochs=81, validation_split=0.2, callbacks=[report])
    """

    def __init__(
        self, trial: Trial, metric: str, sort_metric: Callable[[float], float] | None = None
    ) -> None:
        super().__init__()
        self._reporter = Reporter(trial, metric, sort_metric)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report, and stop if the trial is to."""
        self.model.stop_training |= not self._reporter.goes_on(logs or {})


class TrainingSpec(ABC):
    """A training of a Keras model, to fill in: an objective for any scheduler.

    Each method gets by name the parameters of the trial and what ``launch(data=...)`` passes.
    Keep nothing in ``self`` there: trials that are paused share it. The random generators are
    seeded by the trial before the model is built.

    Attributes:
        metric: The name of the metric in the history of Keras, such as ``"val_accuracy"``.

    Example:
        >>> class Digits(TrainingSpec):
        ...     metric = "val_loss"
        ...     def model(self, units, **_):
        ...         layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(10)]
        ...         return keras.Sequential(layers)
        ...     def compile(self, model, rate, **_):
        ...         model.compile(keras.optimizers.Adam(rate), "mse")
        ...     def fit(self, model, callbacks, x, y, **_):
        ...         model.fit(x, y, epochs=81, validation_split=0.2, callbacks=callbacks)
        >>> print(Digits().check({"x": x, "y": y}, units=32, rate=0.01))
        >>> ab.launch(Digits(), space, scheduler=ab.ASHA(81), data={"x": x, "y": y})
    """

    metric: str

    @abstractmethod
    def model(self, *args: Any, **params: Any) -> Any:
        """Build the model and return it."""

    @abstractmethod
    def compile(self, model: Any, *args: Any, **params: Any) -> None:
        """Call ``model.compile``."""

    @abstractmethod
    def fit(self, model: Any, callbacks: list[Any], *args: Any, **params: Any) -> None:
        """Call ``model.fit`` with these callbacks; the scheduler may end it before ``epochs``."""

    def sort_metric(self, value: float) -> float:
        """What is reported for a value of ``metric``; smaller is better. Default: the value."""
        return value

    def __call__(self, trial: Trial, **data: Any) -> None:
        """Train one model; called by a worker."""
        name = type(self).__name__
        if not isinstance(getattr(self, "metric", None), str):
            raise ObjectiveError(
                f"{name} has no metric; set metric in the class to a name in the history of "
                f'Keras, such as "val_loss"'
            )
        params = {**trial.params, **data}
        keras.utils.set_random_seed(trial.seed % 2**32)  # what numpy takes
        model = self.model(**params)
        if not isinstance(model, keras.Model):
            raise ObjectiveError(f"{name}.model returned {shortened(model)}; return a keras.Model")
        self.compile(model, **params)
        self.fit(model, [ReportCallback(trial, self.metric, self.sort_metric)], **params)
        if trial.resource == 0:
            raise ObjectiveError(
                f"{name}.fit reported no epoch; call model.fit with callbacks=callbacks"
            )

    def check(self, data: Mapping[str, Any] | None = None, /, **params: Any) -> DryRun:
        """Train two epochs here, as a worker would, before a cluster is spent on it.

        Args:
            data: What ``launch(data=...)`` will get. Default None.
            **params: The parameters of the model to try.

        Returns:
            What `dry_run` returns; print it to see metrics, times and problems.

        Raises:
            ObjectiveError: The training fails; the message has the traceback.
            InvalidArgument: What `launch` would refuse, such as data that cannot be pickled.

        Example:
            >>> print(Digits().check(units=32, rate=0.01))
        """
        from asha_bus.launching._dry_run import dry_run

        found = dry_run(self, Space(**params), data=data, quiet=True)
        (trial,) = found.trials
        if trial.outcome == "failed":
            raise ObjectiveError(
                f"{type(self).__name__} fails with {shown_params(params)}:\n{trial.error}"
            )
        return found
